"""Scores of a version on a labelled sample, as plain numbers for the manifest."""

from __future__ import annotations

from typing import Any

import numpy as np

from webapp.errors import BadArtifact
from webapp.ml import delong, intervals
from webapp.ml.schema.checks import shown


def classification(
    truth: list[Any], predicted: list[Any], shares: list[list[float]] | None, classes: list[Any]
) -> dict[str, Any]:
    """Accuracy, balanced accuracy, macro F1, log loss and ROC AUC where defined, support, confusion, each class.

    `confusion[i][j]` counts rows of class i that were answered with class j; `intervals` has those of 95 %, by
    metric, where there are any. Raises BadArtifact where the truth holds no class of the model.
    """
    from sklearn import metrics  # heavy, and only used while publishing

    index = {value: i for i, value in enumerate(classes)}
    written = {str(value): i for i, value in enumerate(classes)}  # a CSV file cannot tell 1 from "1"
    found = [index.get(value, written.get(str(value))) for value in truth]
    known = [i for i, place in enumerate(found) if place is not None]
    if not known:
        raise BadArtifact(
            f"No value of the target is a class of the model: it has {shown(truth[0])}, "
            f"the model {', '.join(map(shown, classes[:5]))}. Give the column the model was trained on."
        )
    y = np.array([found[i] for i in known])
    p = np.array([index[predicted[i]] for i in known])
    all_classes = list(range(len(classes)))
    confusion = metrics.confusion_matrix(y, p, labels=all_classes)
    support = confusion.sum(axis=1)
    recall = confusion.diagonal()[support > 0] / support[support > 0]
    scores: dict[str, Any] = {
        "accuracy": float((y == p).mean()),
        "balanced_accuracy": float(recall.mean()),
        "f1_macro": float(metrics.f1_score(y, p, labels=all_classes, average="macro", zero_division=0)),
        "support": {str(value): int(n) for value, n in zip(classes, support, strict=True)},
        "confusion": confusion.tolist(),
        "per_class": {str(value): _of_class(confusion, i) for i, value in enumerate(classes)},
    }
    losses, ranked = None, None
    if shares is not None and len(classes) > 1:
        matrix = np.array([shares[i] for i in known])
        matrix = matrix / matrix.sum(axis=1, keepdims=True)  # float32 sums are off by some 1e-7
        losses = -np.log(np.clip(matrix[np.arange(len(y)), y], np.finfo(float).eps, 1))
        scores["log_loss"] = float(losses.mean())
        if (support > 0).all():
            ranked = matrix
            scores["roc_auc"] = delong.area(y, matrix).area
    return scores | {"intervals": intervals.of_classification(confusion, y, losses, ranked)}


def _of_class(confusion: Any, i: int) -> dict[str, Any]:
    hits, true, answered = (int(n) for n in (confusion[i, i], confusion[i].sum(), confusion[:, i].sum()))
    return {
        "precision": hits / answered if answered else None,
        "recall": hits / true if true else None,
        "support": true,
        "intervals": intervals.of_class(hits, true, answered),
    }


def regression(truth: list[float], predicted: list[float]) -> dict[str, Any]:
    """MAE, RMSE and median absolute error in the target's unit, R² (none when the truth is constant), intervals.

    Raises BadArtifact for truth in words.
    """
    try:
        y, p = np.array(truth, float), np.array(predicted, float)
    except ValueError as error:
        raise BadArtifact(
            "The model predicts numbers, but the target has words; name another column."
        ) from error
    off = np.abs(y - p)
    spread = float(((y - y.mean()) ** 2).sum())
    return {
        "mae": float(off.mean()),
        "rmse": float(np.sqrt((off**2).mean())),
        "r2": 1 - float((off**2).sum()) / spread if spread > 0 else None,
        "median_absolute_error": float(np.median(off)),
        "intervals": intervals.of_regression(y, off),
    }
