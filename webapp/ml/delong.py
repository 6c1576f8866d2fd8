"""The area under the ROC curve with its variance.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), by the midranks of Sun and Xu, IEEE Signal Processing
Letters 21 (2014). The mean of one-against-rest areas is treated likewise: its contributions are means of theirs.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any, Final, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
#: The normal quantile of a two-sided 95 % interval.
Z95: Final = 1.959963984540054


class Area(NamedTuple):
    """`contributions` sum, over the rows of either class, to the area; their spread within a class is its variance."""

    area: float
    contributions: Array


def area(truth: Array, shares: Array) -> Area:
    """Of rows whose class is numbered by `truth`, from rows × classes; two classes give one area.

    Every class needs a row. With more classes it is the plain mean of each against the rest.
    """
    classes = shares.shape[1]
    if classes == 2:
        return _one(truth == 1, shares[:, 1])
    each = [_one(truth == i, shares[:, i]) for i in range(classes)]
    contributions = np.mean([one.contributions for one in each], axis=0)
    return Area(float(np.mean([one.area for one in each])), contributions)


def _one(positive: Array, scores: Array) -> Area:
    m, n = int(positive.sum()), int((~positive).sum())
    overall = _midranks(scores)
    placed = np.empty(len(scores))
    # The share of the other class that each row stands on the right side of; ties count half.
    placed[positive] = (overall[positive] - _midranks(scores[positive])) / n
    placed[~positive] = 1 - (overall[~positive] - _midranks(scores[~positive])) / m
    return Area(float(placed[positive].mean()), placed / np.where(positive, m, n))


def _midranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def variance(contributions: Array, truth: Array) -> float | None:
    """Of the sum of contributions, rows of each class varying on their own; None where a class has one row."""
    total = 0.0
    for value in np.unique(truth):
        own = contributions[truth == value]
        if len(own) < 2:
            return None
        total += len(own) * float(own.var(ddof=1))
    return total


def interval(found: Area, truth: Array) -> tuple[float, float] | None:
    """95 %, on the scale of log odds, so that it stays within 0 and 1 (Pepe 2003, 5.2); None where nothing varies."""
    spread = variance(found.contributions, truth)
    if not spread or not 0 < found.area < 1:
        return None
    odds = log(found.area / (1 - found.area))
    reach = Z95 * sqrt(spread) / (found.area * (1 - found.area))
    return 1 / (1 + exp(-(odds - reach))), 1 / (1 + exp(-(odds + reach)))
