"""How far two versions answer the same rows alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from webapp.ml.intervals import wilson
from webapp.ml.runtime import Answer, Predictor
from webapp.ml.schema import Scalar

#: How many of the rows that differ most are told.
MOST: Final = 10


class Apart(NamedTuple):
    """One row on which the answers differ; `row` counts from 0 among those given."""

    row: int
    inputs: dict[str, Scalar]
    before: Any
    after: Any
    gap: float


class SideBySide(NamedTuple):
    """`alike` of `rows` rows are answered alike; the others given were not put to both versions.

    Classes are alike if they are the same; numbers, if they differ by no more than `within` (else `alike` is None).
    A gap is the largest difference of the probability of any class, or that of two numbers; None without
    probabilities. `changes[i][j]` counts rows answered with `labels[i]` before and `labels[j]` after.
    """

    rows: int
    left_out: int
    why_left_out: str
    #: Features that the rows have and one of the versions does not take.
    without: list[str]
    alike: int | None
    interval: tuple[float, float] | None
    within: float | None
    mean_gap: float | None
    largest_gap: float | None
    labels: list[str]
    changes: list[list[int]]
    most: list[Apart]


class _Asked(NamedTuple):
    """The rows that both versions accept: their numbers, and what each version reads of them."""

    numbers: list[int]
    values: tuple[list[tuple[Scalar, ...]], list[tuple[Scalar, ...]]]
    why_left_out: str


def side_by_side(
    rows: Sequence[Mapping[str, Any]], before: Predictor, after: Predictor, within: float | None = None
) -> SideBySide:
    """Ask both versions all rows that both accept; features that one of them lacks are left out of its rows.

    Both must answer with the same kind of output. Raises ModelFailed, NotReady.
    """
    asked = _accepted(rows, before, after)
    answers = before.predict(asked.values[0]), after.predict(asked.values[1])
    kind = after.schema.output.kind
    gaps = _distances(*answers) if kind == "regression" else _gaps(before, after, *answers)
    unlike = [float(a != b) for a, b in zip(answers[0].values, answers[1].values, strict=True)]
    alike: int | None = unlike.count(0.0)
    if kind == "regression":
        alike = None if within is None else sum(gap <= within for gap in gaps or ())
    labels, changes = _changes(before, after, *answers) if kind != "regression" else ([], [])
    return SideBySide(
        rows=len(asked.numbers),
        left_out=len(rows) - len(asked.numbers),
        why_left_out=asked.why_left_out,
        without=[name for name in (rows[0] if rows else ()) if not _both_take(name, before, after)],
        alike=alike,
        interval=None if alike is None else wilson(alike, len(asked.numbers)),
        within=within if kind == "regression" else None,
        mean_gap=sum(gaps) / len(gaps) if gaps else None,
        largest_gap=max(gaps) if gaps else None,
        labels=labels,
        changes=changes,
        most=_most(rows, asked.numbers, (before, after), answers, unlike if gaps is None else gaps),
    )


def _accepted(rows: Sequence[Mapping[str, Any]], before: Predictor, after: Predictor) -> _Asked:
    asked, why = _Asked([], ([], []), ""), ""
    for number, row in enumerate(rows):
        known = [{k: v for k, v in row.items() if k in one.schema.names} for one in (before, after)]
        checks = before.schema.check(known[0]), after.schema.check(known[1])
        problems = checks[0].problems + checks[1].problems
        if problems:
            why = why or problems[0].detail
            continue
        asked.numbers.append(number)
        for values, check in zip(asked.values, checks, strict=True):
            values.append(check.values)
    return asked._replace(why_left_out=why)


def _both_take(name: str, before: Predictor, after: Predictor) -> bool:
    return name in before.schema.names and name in after.schema.names


def _distances(before: Answer, after: Answer) -> list[float]:
    return [abs(a - b) for a, b in zip(before.values, after.values, strict=True)]


def _gaps(before: Predictor, after: Predictor, old: Answer, new: Answer) -> list[float] | None:
    """The largest difference of any class's probability, a row; a class that one version lacks has 0 there."""
    if old.probabilities is None or new.probabilities is None:
        return None
    places = [{str(c.value): i for i, c in enumerate(one.schema.output.classes)} for one in (before, after)]
    names = list(dict.fromkeys([*places[0], *places[1]]))
    shares = [
        [[row[at[name]] if name in at else 0.0 for name in names] for row in answer.probabilities or ()]
        for at, answer in zip(places, (old, new), strict=True)
    ]
    return [
        max(abs(a - b) for a, b in zip(first, second, strict=True))
        for first, second in zip(*shares, strict=True)
    ]


def _changes(
    before: Predictor, after: Predictor, old: Answer, new: Answer
) -> tuple[list[str], list[list[int]]]:
    classes = [*before.schema.output.classes, *after.schema.output.classes]
    labels = {str(c.value): c.label for c in classes}
    place = {value: i for i, value in enumerate(labels)}
    counts = [[0] * len(labels) for _ in labels]
    for a, b in zip(old.values, new.values, strict=True):
        counts[place[str(a)]][place[str(b)]] += 1
    return list(labels.values()), counts


def _most(
    rows: Sequence[Mapping[str, Any]],
    numbers: list[int],
    versions: tuple[Predictor, Predictor],
    answers: tuple[Answer, Answer],
    gaps: list[float],
) -> list[Apart]:
    furthest = sorted((n for n, gap in enumerate(gaps) if gap > 0), key=lambda n: -gaps[n])[:MOST]
    told = [
        [_told(one, value) for value in answer.values] for one, answer in zip(versions, answers, strict=True)
    ]
    return [Apart(numbers[n], dict(rows[numbers[n]]), told[0][n], told[1][n], gaps[n]) for n in furthest]


def _told(version: Predictor, value: Any) -> Any:
    output = version.schema.output
    return value if output.kind == "regression" else output.class_label(value)
