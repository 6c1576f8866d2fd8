"""Many rows at once, a column at a time: what `Schema.check` says of each, for less where there is nothing to say."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from webapp.ml.schema.checks import ABSENT, Found, Step
from webapp.ml.schema.definition import Schema
from webapp.ml.schema.features import Checked, Scalar

#: Types of which equal values get equal answers; 0.0 and -0.0 are equal and not the same.
_REMEMBERED = frozenset({str, int, bool, type(None), object})
_NOTHING: list[object] = []


def check_columns(schema: Schema, columns: Sequence[Sequence[object]]) -> list[Checked]:
    """One answer a row, as `schema.check(row, "#")` gives it; `columns` in schema order, ABSENT where not given.

    Rows without problem, warning or default share their empty lists: they are for reading.
    """
    odd: set[int] = set()
    settled = []
    for step, column in zip(schema.steps, columns, strict=True):
        values, strange = _settle(step, column)
        settled.append(values)
        odd.update(strange)
    checked = [Checked(values, _NOTHING, _NOTHING, _NOTHING) for values in zip(*settled, strict=True)]  # type: ignore[arg-type]
    for i in odd:
        cells = ((name, column[i]) for name, column in zip(schema.names, columns, strict=True))
        checked[i] = schema.check({name: cell for name, cell in cells if cell is not ABSENT}, "#")
    return checked


def _settle(step: Step, column: Sequence[object]) -> tuple[Sequence[Scalar], list[int]]:
    """The values of a column as the model takes them, and the numbers of the rows that need a closer look."""
    low, high = step.low, step.high
    if set(map(type, column)) == {float}:
        floats: Sequence[float] = column  # type: ignore[assignment]
        # The sum, because a NaN among others is neither the least nor the greatest.
        if isfinite(sum(floats)) and low <= min(floats) and max(floats) <= high:
            return floats, []
    values: list[Scalar] = []
    strange: list[int] = []
    known: dict[tuple[type, object], tuple[Scalar, bool]] = {}
    for i, cell in enumerate(column):
        if type(cell) is float and low <= cell <= high:
            values.append(cell)
            continue
        remembered = type(cell) in _REMEMBERED
        answer = known.get((type(cell), cell)) if remembered else None
        if answer is None:
            answer = _ask(step, cell)
            if remembered:
                known[type(cell), cell] = answer
        values.append(answer[0])
        if not answer[1]:
            strange.append(i)
    return values, strange


def _ask(step: Step, cell: object) -> tuple[Scalar, bool]:
    found = Found("#")
    value = step.judge(cell, found)
    return value, not (found.problems or found.warnings or found.defaulted)
