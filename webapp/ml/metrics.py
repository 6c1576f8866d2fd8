"""Scores of a version on a labelled sample, as plain numbers for the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

import numpy as np

from webapp.errors import BadArtifact
from webapp.ml import delong, intervals
from webapp.ml.schema import Output
from webapp.ml.schema.checks import shown
from webapp.wording import said


def classification(
    truth: list[Any], predicted: list[Any], shares: list[list[float]] | None, classes: list[Any]
) -> dict[str, Any]:
    """Accuracy, balanced accuracy, macro F1, log loss and ROC AUC where defined, support, confusion, each class.

    `confusion[i][j]` counts rows of class i that were answered with class j; `intervals` has those of 95 %, by
    metric, where there are any. Raises BadArtifact where the truth holds no class of the model.
    """
    from sklearn import metrics  # heavy, and only used while publishing

    known, y, p = _known(truth, predicted, classes)
    all_classes = list(range(len(classes)))
    confusion = metrics.confusion_matrix(y, p, labels=all_classes)
    support = confusion.sum(axis=1)
    recall = confusion.diagonal()[support > 0] / support[support > 0]
    scores: dict[str, Any] = {
        "accuracy": float((y == p).mean()),
        "balanced_accuracy": float(recall.mean()),
        "f1_macro": _f1(y, p, len(classes)),
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


def main(
    output: Output, truth: list[Any], values: list[Any], shares: list[list[float]] | None
) -> tuple[str, float | None]:
    """The score that engines of a model are held against each other by, and its name; errors as of all scores."""
    classes = [choice.value for choice in output.classes]
    if output.kind == "regression":
        return "r2", _r2(*_numbers(truth, values))
    if output.kind == "ranking":
        return "ndcg_at_k", ranking(truth, shares or [], classes, output.top or 1)["ndcg_at_k"]
    _, y, p = _known(truth, values, classes)
    return "f1_macro", _f1(y, p, len(classes))


def _known(truth: list[Any], predicted: list[Any], classes: list[Any]) -> tuple[list[int], Any, Any]:
    """Rows whose truth is a class of the model, and their classes by number: what is true, and what was answered."""
    index = {value: i for i, value in enumerate(classes)}
    found = places(truth, classes)
    known = [i for i, place in enumerate(found) if place is not None]
    return known, np.array([found[i] for i in known]), np.array([index[predicted[i]] for i in known])


def _f1(y: Any, p: Any, n_classes: int) -> float:
    from sklearn import metrics  # heavy, and only used while publishing

    return float(metrics.f1_score(y, p, labels=list(range(n_classes)), average="macro", zero_division=0))


def _of_class(confusion: Any, i: int) -> dict[str, Any]:
    hits, true, answered = (int(n) for n in (confusion[i, i], confusion[i].sum(), confusion[:, i].sum()))
    return {
        "precision": hits / answered if answered else None,
        "recall": hits / true if true else None,
        "support": true,
        "intervals": intervals.of_class(hits, true, answered),
    }


def ranking(truth: list[Any], scores: Sequence[Sequence[float]], items: list[Any], k: int) -> dict[str, Any]:
    """Precision, recall, MAP and NDCG of the first k items, and MRR of the whole order, each the mean over the rows.

    `scores` is rows × items; the truth of a row is one item, or a list of those that were right, all alike. With one,
    recall is the share of rows that have it among the first k. Rows without any item of the model are left out;
    raises BadArtifact where none is left. Formulas: Manning, Raghavan and Schütze (2008), chapter 8; NDCG with
    gains of 1 and the logarithm to base 2 of Järvelin and Kekäläinen (2002).
    """
    place = {value: i for i, value in enumerate(items)} | {str(value): i for i, value in enumerate(items)}
    found = []
    for right, row in zip(truth, scores, strict=True):
        wanted = {
            place[v] for v in (right if isinstance(right, (list, tuple, set)) else [right]) if v in place
        }
        if wanted:
            order = sorted(range(len(row)), key=lambda i: -row[i])
            found.append(_ranked(wanted, order, k))
    if not found:
        raise BadArtifact(
            said(
                "No value of the target is an item of the model: it has {found}, the model {known}. Give "
                "the column the model was trained on.",
                found=shown(truth[0]),
                known=", ".join(map(shown, items[:5])),
            )
        )
    names = ("precision_at_k", "recall_at_k", "map_at_k", "mrr", "ndcg_at_k")
    means = np.array(found).mean(axis=0).tolist()
    return {"k": k, **dict(zip(names, means, strict=True))}


def _ranked(wanted: set[int], order: list[int], k: int) -> tuple[float, ...]:
    hits = [item in wanted for item in order[:k]]
    precision = sum(hits) / k
    most = min(len(wanted), k)
    average = sum(sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit) / most
    gained = sum(1 / log2(i + 2) for i, hit in enumerate(hits) if hit)
    ideal = sum(1 / log2(i + 2) for i in range(most))
    first = next(i for i, item in enumerate(order, 1) if item in wanted)
    return precision, sum(hits) / len(wanted), average, 1 / first, gained / ideal


def places(truth: Sequence[Any], classes: Sequence[Any]) -> list[int | None]:
    """Which class each true value is; None where it is none. Raises BadArtifact where none is any."""
    index = {value: i for i, value in enumerate(classes)}
    written = {str(value): i for i, value in enumerate(classes)}  # a CSV file cannot tell 1 from "1"
    found = [index.get(value, written.get(str(value))) for value in truth]
    if all(place is None for place in found):
        raise BadArtifact(
            said(
                "No value of the target is a class of the model: it has {found}, the model {known}. Give "
                "the column the model was trained on.",
                found=shown(truth[0]),
                known=", ".join(map(shown, classes[:5])),
            )
        )
    return found


def regression(truth: list[float], predicted: list[float]) -> dict[str, Any]:
    """MAE, RMSE and median absolute error in the target's unit, R² (none when the truth is constant), intervals.

    Raises BadArtifact for truth in words.
    """
    y, p = _numbers(truth, predicted)
    off = np.abs(y - p)
    return {
        "mae": float(off.mean()),
        "rmse": float(np.sqrt((off**2).mean())),
        "r2": _r2(y, p),
        "median_absolute_error": float(np.median(off)),
        "intervals": intervals.of_regression(y, off),
    }


def _numbers(truth: list[float], predicted: list[float]) -> tuple[Any, Any]:
    try:
        return np.array(truth, float), np.array(predicted, float)
    except ValueError as error:
        raise BadArtifact(
            said("The model predicts numbers, but the target has words; name another column.")
        ) from error


def _r2(y: Any, p: Any) -> float | None:
    spread = float(((y - y.mean()) ** 2).sum())
    return 1 - float(((y - p) ** 2).sum()) / spread if spread > 0 else None
