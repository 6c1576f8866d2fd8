"""Lengths of buckets, and how a time is put together from them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from webapp.db.rollups import ALL

SECOND = 1_000_000
MINUTE, QUARTER, HOUR, FOUR_HOURS, DAY, WEEK = 60, 900, 3600, 4 * 3600, 86_400, 7 * 86_400

#: Seconds, each a multiple of the one before. A person has fewer: most of theirs would hold one record each.
OF_ALL = (MINUTE, QUARTER, HOUR, FOUR_HOURS, DAY, WEEK)
OF_ONE = (MINUTE, HOUR, DAY)
#: Minutes are kept for a day and the day before it, with some to spare; older times are told by the next level.
MINUTES_KEPT_US = 3 * DAY * SECOND


def levels(scope: int) -> tuple[int, ...]:
    """The lengths of the buckets of everybody or of a person."""
    return OF_ALL if scope == ALL else OF_ONE


def cover(since_us: int, until_us: int, lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Cut a time into as few buckets as the lengths allow: (length, from, up to) of neighbours.

    Both ends must be multiples of the first length.
    """
    pieces = []
    for length, longer in pairwise(lengths):
        size = longer * SECOND
        up = min(-(-since_us // size) * size, until_us)
        down = max(until_us // size * size, up)
        pieces += [(length, since_us, up), (length, down, until_us)]
        since_us, until_us = up, down
    pieces.append((lengths[-1], since_us, until_us))
    return [piece for piece in pieces if piece[1] < piece[2]]
