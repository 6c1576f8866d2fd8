"""Thresholds chosen by what wrong answers cost, on labelled rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import floor, isfinite, log10
from typing import Any, Final, NamedTuple

import numpy as np

from webapp.errors import BadArtifact, no_member, printable
from webapp.ml import metrics
from webapp.ml.schema import Output, Rule
from webapp.ml.schema.features import Thresholds
from webapp.ml.schema.thresholds import stored
from webapp.wording import said

WHERE: Final = "#/output/costs"
_MEMBERS: Final = ("false_positive", "false_negative", "positive")
#: passes over all classes; on samples that were tried, the third changes nothing
_PASSES: Final = 10
_DIGITS: Final = 6

Matrix = Any  # of floats: a row for what is true, a column for what is answered, in class order


class Chosen(NamedTuple):
    """The output with its thresholds, and what the manifest says of how they were found."""

    output: Output
    facts: dict[str, Any]


def apart(edits: dict[str, Any] | None) -> tuple[dict[str, Any] | None, Any]:
    """Schema edits without the costs of wrong answers, and those: a schema holds what is chosen by them."""
    output = (edits or {}).get("output")
    if not edits or not isinstance(output, dict) or "costs" not in output:
        return edits, None
    rest = {name: value for name, value in output.items() if name != "costs"}
    return edits | {"output": rest}, output["costs"]


def choose(costs: object, output: Output, truth: Sequence[Any], shares: list[list[float]] | None) -> Chosen:
    """The thresholds under which answering the rows costs least on average.

    `costs` is {"false_positive", "false_negative", "positive"} for two classes, or the whole matrix; `shares` is
    rows × classes. Of two classes the positive one gets the threshold. Of thresholds that cost the same the one is
    taken that is nearest to where a calibrated model would have it (Elkan, 2001, The Foundations of Cost-Sensitive
    Learning). Raises BadArtifact with what to correct.
    """
    if output.kind != "classification" or shares is None or len(output.classes) < 2:
        raise BadArtifact(
            said("{where}: only a classification of two classes or more, with probabilities, takes costs.",
                 where=WHERE)
        )  # fmt: skip
    if output.thresholds:
        raise BadArtifact(
            said("{where}: give thresholds, or costs to choose them by, not both.", where=WHERE)
        )
    classes = [choice.value for choice in output.classes]
    matrix, positive = read(costs, classes)
    places = metrics.places(truth, classes)
    known = [i for i, place in enumerate(places) if place is not None]
    y, p = np.array([places[i] for i in known]), np.array([shares[i] for i in known], float)
    thresholds = _two(matrix, positive, y, p) if len(classes) == 2 else _more(matrix, y, p)
    decided = replace(output, thresholds=thresholds)
    rule = Rule(thresholds)
    facts = {
        "matrix": matrix.tolist(),
        "thresholds": stored(decided),
        "expected": _mean(matrix, y, [rule.choose(row) for row in p.tolist()]),
        "expected_most_probable": _mean(matrix, y, p.argmax(axis=1)),
    }
    return Chosen(decided, facts)


def read(costs: object, classes: Sequence[Any]) -> tuple[Matrix, int]:
    """The matrix, and the place of the positive class of two. Raises BadArtifact."""
    if isinstance(costs, Mapping):
        return _of_mistakes(costs, classes)
    n = len(classes)
    rows = costs if isinstance(costs, (list, tuple)) else ()
    shaped = len(rows) == n and all(isinstance(row, (list, tuple)) and len(row) == n for row in rows)
    if not shaped or not all(_cost(value) for row in rows for value in row):
        raise BadArtifact(
            said("{where} must be a list of {n} rows of {n} numbers, 0 or more: a row for what is true, a column for "
                 "what is answered.", where=WHERE, n=n)
        )  # fmt: skip
    matrix = np.array(rows, float)
    right = matrix.diagonal()
    wrong = matrix + np.diag(np.full(n, np.inf))
    if not (right < wrong.min(axis=1)).all():
        raise BadArtifact(said("{where}: a wrong answer must cost more than the right one.", where=WHERE))
    return matrix, 1 if _ordered(classes) or matrix[1, 0] >= matrix[0, 1] else 0


def _of_mistakes(costs: Mapping[str, Any], classes: Sequence[Any]) -> tuple[Matrix, int]:
    if stray := [str(name) for name in costs if name not in _MEMBERS]:
        raise BadArtifact(said("{where} has {problem}", where=WHERE, problem=no_member(stray[0], _MEMBERS)))
    if len(classes) != 2:
        raise BadArtifact(
            said("{where}: for {n} classes give a list of {n} rows of {n} numbers.", where=WHERE, n=len(classes))
        )  # fmt: skip
    given = [costs.get(name) for name in _MEMBERS[:2]]
    if not all(_cost(value) and value for value in given):
        raise BadArtifact(
            said("{where} needs {listed}, numbers above 0.", where=WHERE, listed=", ".join(_MEMBERS[:2]))
        )
    positive = _positive(costs.get("positive"), classes)
    matrix = np.zeros((2, 2))
    matrix[1 - positive, positive], matrix[positive, 1 - positive] = given
    return matrix, positive


def _positive(named: object, classes: Sequence[Any]) -> int:
    """The place of the class that is looked for: of numbers and of true and false, the second."""
    names = [str(value) for value in classes]
    if named is None and _ordered(classes):
        return 1
    if named is None or str(named) not in names:
        listed = " / ".join(printable(name)[:60] for name in names)
        raise BadArtifact(
            said("{where} must be the class that is looked for: {listed}.", where=f"{WHERE}/positive", listed=listed)
        )  # fmt: skip
    return names.index(str(named))


def _ordered(classes: Sequence[Any]) -> bool:
    return not any(isinstance(value, str) for value in classes)


def _cost(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and isfinite(value) and 0 <= value <= 1e12  # type: ignore[operator,arg-type]


def _mean(matrix: Matrix, y: Any, answered: Any) -> float:
    return float(f"{matrix[y, np.array(answered)].mean():.12g}")


def _two(matrix: Matrix, positive: int, y: Any, p: Any) -> Thresholds:
    other = 1 - positive
    alarm = matrix[other, positive] - matrix[other, other]
    theory = alarm / (alarm + matrix[positive, other] - matrix[positive, positive])
    otherwise = np.full(len(y), other)
    least = _cheapest(matrix, positive, y, p[:, positive], otherwise, theory, 1.0)
    return (least, None) if positive == 0 else (None, least)


def _more(matrix: Matrix, y: Any, p: Any) -> Thresholds:
    """One class after the other, the rest held: each step costs no more than the one before it."""
    n = matrix.shape[0]
    t = np.full(n, 1 / n)
    for _ in range(_PASSES):
        before = t.copy()
        for k in range(n):
            rest = p / t
            rest[:, k] = -1
            ratio = p[:, k] / np.maximum(rest.max(axis=1), 1e-9)
            t[k] = _cheapest(matrix, k, y, ratio, rest.argmax(axis=1), t[k], np.inf)
        if np.array_equal(before, t):
            break
    t = t / t.sum()  # so that always one of them is reached
    return tuple(_floored(value) for value in t.tolist())


def _cheapest(
    matrix: Matrix, k: int, y: Any, score: Any, otherwise: Any, near: float, highest: float
) -> float:
    """The least score with which class k should be answered, the others being answered below.

    Candidates lie between neighbouring scores of the sample, so that no row's answer hangs on the last bit.
    """
    gain = matrix[y, otherwise] - matrix[y, k]
    found, at = np.unique(score, return_inverse=True)
    gains = np.bincount(at, weights=gain, minlength=len(found))
    saved = np.append(np.cumsum(gains[::-1])[::-1], 0.0)  # by answering k from the i-th score on; last: never
    low = np.append(0.0, found)
    high = np.append(found, highest if np.isfinite(highest) else 2 * found[-1])
    open_ = np.flatnonzero(high - low > 1e-9)
    if not len(open_):
        return near
    best = open_[saved[open_] >= saved[open_].max() - 1e-9 * max(1.0, np.abs(gain).sum())]
    holding = best[(low[best] < near) & (near < high[best])]
    if len(holding):
        return _between(low[holding[0]], high[holding[0]], near)
    middles = (low[best] + high[best]) / 2
    i = int(np.abs(middles - near).argmin())
    return _between(low[best[i]], high[best[i]], middles[i])


def _between(low: float, high: float, value: float) -> float:
    """The value with as few digits as keep it between the two."""
    for digits in range(2, _DIGITS + 1):
        short = float(f"{value:.{digits}g}")
        if low < short < high:
            return short
    return float(value)


def _floored(value: float) -> float:
    scale = 10.0 ** (_DIGITS - 1 - floor(log10(value)))
    return floor(value * scale) / scale
