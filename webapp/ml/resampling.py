"""The bootstrap: what a figure would have been on other samples of the same kind, seeded and in whole arrays.

Efron and Tibshirani, An Introduction to the Bootstrap (1993); resamples keep the number of rows of each class.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np

RESAMPLES: Final = 2000
SEED: Final = 20260101
#: Rows of one resample; of larger samples the spread is scaled down to their size.
MOST_DRAWN: Final = 5000
#: Means of columns with no more distinct rows than this are drawn by their counts, whatever the number of rows.
FEW: Final = 16
_AT_ONCE = 100

Array = np.ndarray[Any, np.dtype[Any]]
Interval = tuple[float, float]


class Drawn(NamedTuple):
    """Row numbers, resamples × rows; `weights` has the share of the sample that a row of each place stands for."""

    rows: Array
    weights: Array


def draws(strata: Array) -> Iterator[Drawn]:
    """RESAMPLES resamples of the rows whose classes are `strata`, some at a time; the same ones each time."""
    chance = np.random.default_rng(SEED)
    members = [np.flatnonzero(strata == value) for value in np.unique(strata)]
    share = min(1.0, MOST_DRAWN / len(strata))
    sizes = [max(1, round(len(rows) * share)) for rows in members]
    weights = np.concatenate(
        [np.full(size, len(rows) / size / len(strata)) for rows, size in zip(members, sizes, strict=True)]
    )
    for _ in range(RESAMPLES // _AT_ONCE):
        chosen = [
            rows[chance.integers(0, len(rows), (_AT_ONCE, size))]
            for rows, size in zip(members, sizes, strict=True)
        ]
        yield Drawn(np.concatenate(chosen, axis=1), weights)


def scale(n_rows: int) -> float:
    """How much less figures of the whole sample vary than those of `draws`: √(m/n), Bickel et al. 1997."""
    return sqrt(min(1.0, MOST_DRAWN / n_rows))


def means(values: Array, strata: Array) -> Array:
    """The mean of `values` in each resample, already scaled about the sample's own mean."""
    mean = float(values.mean())
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) <= FEW:
        return _counted(distinct, place, strata)
    found = np.concatenate([values[drawn.rows] @ drawn.weights for drawn in draws(strata)])
    return mean + (found - mean) * scale(len(values))


def _counted(distinct: Array, place: Array, strata: Array) -> Array:
    """The same with rows of few distinct values: how many there are of each is multinomial in each class."""
    chance = np.random.default_rng(SEED)
    total = np.zeros(RESAMPLES)
    for value in np.unique(strata):
        counts = np.bincount(place[strata == value], minlength=len(distinct))
        total += chance.multinomial(counts.sum(), counts / counts.sum(), RESAMPLES) @ distinct
    return total / len(strata)


class Table(NamedTuple):
    """Resamples × classes: rows answered rightly, and rows answered with the class at all."""

    hits: Array
    answered: Array


def confusions(confusion: Array) -> Table:
    """Resamples of a confusion matrix (rows: what was true), each row multinomial about what it holds."""
    chance = np.random.default_rng(SEED)
    classes = len(confusion)
    hits = np.zeros((RESAMPLES, classes), np.int64)
    answered = np.zeros((RESAMPLES, classes), np.int64)
    for true, row in enumerate(confusion):
        cells = np.flatnonzero(row)
        if not len(cells):
            continue
        drawn = chance.multinomial(row.sum(), row[cells] / row.sum(), RESAMPLES)
        answered[:, cells] += drawn
        if row[true]:
            hits[:, true] = drawn[:, np.searchsorted(cells, true)]
    return Table(hits, answered)


def percentiles(found: Array, confidence: float = 0.95) -> Interval | None:
    """The interval that holds the middle `confidence` of the figures; None where they do not vary."""
    tail = (1 - confidence) / 2 * 100
    finite = found[np.isfinite(found)]
    low, high = np.percentile(finite, (tail, 100 - tail)) if len(finite) else (0.0, 0.0)
    return (float(low), float(high)) if low < high else None


def joint_confusions(truth: Array, first: Array, second: Array, classes: int) -> tuple[Table, Table]:
    """Resamples of what two versions answered to the same rows: one draw of rows serves both."""
    chance = np.random.default_rng(SEED)
    tables = [Table(*(np.zeros((RESAMPLES, classes), np.int64) for _ in range(2))) for _ in range(2)]
    for true in np.unique(truth):
        rows = truth == true
        cells, counts = np.unique(first[rows] * classes + second[rows], return_counts=True)
        drawn = chance.multinomial(counts.sum(), counts / counts.sum(), RESAMPLES)
        for table, answered in zip(tables, (cells // classes, cells % classes), strict=True):
            by_class = drawn @ np.eye(classes, dtype=np.int64)[answered]
            table.answered[:] += by_class
            table.hits[:, true] = by_class[:, true]
    return tables[0], tables[1]
