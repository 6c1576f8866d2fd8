"""What changed from one schema to another, member by member."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Final, NamedTuple

from webapp.ml.schema.definition import Schema
from webapp.ml.schema.features import Choice, Feature, Learned, Output

#: Told apart from the rest (by value, as a range), or not at all: an example changes no answer.
_APART: Final = {"name", "example", "learned", "choices", "classes"}


class Change(NamedTuple):
    """`feature` is None for what concerns the output; `before` and `after` are plain values, lists or None.

    `member` is one of the schema's own, or: added, removed (of a feature), learned (its range), and, of choices or
    classes, choices_added, choices_removed, choices_renamed, choices_moved.
    """

    feature: str | None
    label: str
    member: str
    before: Any
    after: Any


def differences(before: Schema, after: Schema) -> list[Change]:
    """Removed and added features, then changed ones in the order of the later schema, then the output."""
    old = {feature.name: feature for feature in before.features}
    new = {feature.name: feature for feature in after.features}
    found = [Change(f.name, f.label, "removed", f.kind, None) for f in before.features if f.name not in new]
    found += [Change(f.name, f.label, "added", None, f.kind) for f in after.features if f.name not in old]
    for feature in after.features:
        if feature.name in old:
            found += _of_feature(old[feature.name], feature)
    return found + list(_of_output(before.output, after.output))


def _of_feature(before: Feature, after: Feature) -> Iterator[Change]:
    yield from _members(after.name, after.label, before, after)
    ranges = [_range(one.learned) for one in (before, after)]
    if ranges[0] != ranges[1]:
        yield Change(after.name, after.label, "learned", *ranges)
    yield from _choices(after.name, after.label, before.choices, after.choices)


def _of_output(before: Output, after: Output) -> Iterator[Change]:
    yield from _members(None, after.label, before, after)
    yield from _choices(None, after.label, before.classes, after.classes)
    values = [[c.value for c in of.classes] for of in (before, after)]
    if values[0] != values[1] and sorted(map(str, values[0])) == sorted(map(str, values[1])):
        yield Change(
            None, after.label, "choices_moved", *([c.label for c in of.classes] for of in (before, after))
        )


def _members(feature: str | None, label: str, before: Any, after: Any) -> Iterator[Change]:
    for member in fields(after):
        old, new = getattr(before, member.name), getattr(after, member.name)
        if member.name not in _APART and old != new:
            yield Change(feature, label, member.name, _plain(old), _plain(new))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _range(learned: Learned | None) -> list[float] | None:
    if learned is None or learned.minimum is None or learned.maximum is None:
        return None
    return [learned.minimum, learned.maximum]


def _choices(
    feature: str | None, label: str, before: Sequence[Choice], after: Sequence[Choice]
) -> Iterator[Change]:
    old, new = ({str(c.value): c.label for c in choices} for choices in (before, after))
    if gone := [words for value, words in old.items() if value not in new]:
        yield Change(feature, label, "choices_removed", gone, None)
    if come := [words for value, words in new.items() if value not in old]:
        yield Change(feature, label, "choices_added", None, come)
    renamed = [value for value in new if value in old and old[value] != new[value]]
    if renamed:
        yield Change(feature, label, "choices_renamed", [old[v] for v in renamed], [new[v] for v in renamed])
