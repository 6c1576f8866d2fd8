"""Which fields stand together: as the schema says, else as the names of the features do."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

from webapp.ml.schema import Feature

FEWEST, MOST_GROUPS = 3, 8
_PARTS = re.compile(r"[\s_.:/-]+")


def grouped(features: tuple[Feature, ...]) -> list[tuple[str, list[Feature]]]:
    """(heading, features) in the order in which the groups begin; one group without a heading where none is meant.

    Where the schema names no group, names that begin or end alike make one (`mean_radius`, `mean_area`, …): only if
    that puts every feature into a group of three or more, side by side, and leaves two to eight groups.
    """
    headings = [f.group or "" for f in features]
    if not any(headings):
        headings = _alike([f.name for f in features]) or headings
    groups: dict[str, list[Feature]] = {}
    for heading, feature in zip(headings, features, strict=True):
        groups.setdefault(heading, []).append(feature)
    return list(groups.items())


def _alike(names: list[str]) -> list[str]:
    ends = [_ends(name) for name in names]
    counts = Counter(end for both in ends for end in both)
    chosen = [max(both, key=lambda end: counts[end], default=None) for both in ends]
    sizes = Counter(chosen)
    side_by_side = len(list(groupby(chosen))) == len(sizes)
    if (
        None in sizes
        or min(sizes.values()) < FEWEST
        or not 2 <= len(sizes) <= MOST_GROUPS
        or not side_by_side
    ):
        return []
    return [_heading(end[1]) for end in chosen if end]


def _ends(name: str) -> list[tuple[str, str]]:
    parts = [part for part in _PARTS.split(name) if part]
    if len(parts) < 2:
        return []
    return [(where, part) for where, part in (("first", parts[0]), ("last", parts[-1])) if not part.isdigit()]


def _heading(part: str) -> str:
    return part[:1].upper() + part[1:]
