"""95 % intervals for the metrics of a version: how far its figures would go on another sample of the same kind."""

from __future__ import annotations

from math import sqrt
from typing import Any, Final

import numpy as np

from webapp.ml import delong, resampling
from webapp.ml.resampling import Array, Interval

#: With fewer rows of a class, a page says that its figures say little.
FEW_OF_A_CLASS: Final = 30
Intervals = dict[str, list[float]]


def wilson(hits: int, n: int) -> Interval | None:
    """Of a share of `n` independent rows, by score: Wilson, JASA 22 (1927); None for no rows.

    It holds where all rows, or none, are hits, and never leaves 0 to 1.
    """
    if n == 0:
        return None
    z2, share = delong.Z95**2, hits / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = delong.Z95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return (0.0 if hits == 0 else middle - reach), (1.0 if hits == n else middle + reach)


def of_classification(
    confusion: Array, truth: Array, losses: Array | None, shares: Array | None
) -> Intervals:
    """Of accuracy, balanced accuracy and macro F1, and of log loss and ROC AUC where the model has probabilities.

    `confusion` and `truth` number the classes; `losses` is the log loss of each row; `shares` is rows × classes, of
    a sample that has every class. What does not vary in the sample (no error at all) has no interval but accuracy's.
    """
    drawn = resampling.confusions(confusion)
    support = confusion.sum(axis=1)
    present = support > 0
    recall = drawn.hits[:, present] / support[present]
    asked = np.maximum(
        support + drawn.answered, 1
    )  # a class that is neither true nor answered has an F1 of 0
    return _known(
        {
            "accuracy": wilson(int(confusion.trace()), int(support.sum())),
            "balanced_accuracy": resampling.percentiles(recall.mean(axis=1)),
            "f1_macro": resampling.percentiles((2 * drawn.hits / asked).mean(axis=1)),
            "log_loss": None if losses is None else resampling.percentiles(resampling.means(losses, truth)),
            "roc_auc": None if shares is None else delong.interval(delong.area(truth, shares), truth),
        }
    )


def of_class(hits: int, true: int, answered: int) -> Intervals:
    """Of one class's precision and recall."""
    return _known({"precision": wilson(hits, answered), "recall": wilson(hits, true)})


def of_regression(truth: Array, off: Array) -> Intervals:
    """Of MAE, RMSE, R² and median absolute error; `off` is the absolute error of each row."""
    centred = truth - truth.mean()  # or the squares of far-off truths would swallow their spread
    columns = np.stack([off, off**2, centred, centred**2], axis=1)
    found = []
    for drawn in resampling.draws(np.zeros(len(off))):
        mae, mse, mean, square = np.moveaxis(columns[drawn.rows], 2, 0) @ drawn.weights
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample of equal truths has no R²
            r2 = 1 - mse / (square - mean**2)
        found.append((mae, np.sqrt(mse), r2, np.median(off[drawn.rows], axis=1)))
    names = ("mae", "rmse", "r2", "median_absolute_error")
    scaled = resampling.scale(len(off))
    return _known(
        {
            name: resampling.percentiles(_about(np.concatenate(figures), scaled))
            for name, figures in zip(names, zip(*found, strict=True), strict=True)
        }
    )


def _about(figures: Array, scaled: float) -> Array:
    finite = figures[np.isfinite(figures)]
    middle = np.median(finite) if len(finite) else 0.0
    return middle + (finite - middle) * scaled


def _known(given: dict[str, Interval | None]) -> Intervals:
    return {name: list(found) for name, found in given.items() if found is not None}


def few(support: dict[str, Any]) -> list[str]:
    """The classes of which a sample has too few rows to say much, in the order of the model."""
    return [name for name, n in support.items() if n < FEW_OF_A_CLASS]
