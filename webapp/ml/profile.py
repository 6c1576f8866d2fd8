"""What the training sample looked like: the yardstick for drift, kept beside the model."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from webapp.ml.sampling import Labelled
from webapp.ml.schema import Feature, Schema

EDGES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def profile(schema: Schema, sample: Labelled, answers: Sequence[Any]) -> dict[str, Any]:
    """{"n_rows", "features": {name: …}, "target": …, "output": …}: what was given, what was true, what was answered.

    A numeric feature has `edges` (inner bin borders; a value equal to a border falls to its right), `counts`
    (one more than edges) and `missing`; any other has `counts` by value and `missing`. The bins of
    a text are of its length, those of an image of its brightness, 0 to 1.
    """
    rows = sample.rows
    columns = list(zip(*rows, strict=True)) or [()] * len(schema.features)
    features = {
        feature.name: _column(feature, values)
        for feature, values in zip(schema.features, columns, strict=True)
    }
    return {
        "n_rows": len(rows),
        "features": features,
        "target": _output(schema, sample.truth),
        "output": _output(schema, answers),
    }


def _column(feature: Feature, values: Sequence[Any]) -> dict[str, Any]:
    present = [value for value in values if value is not None]
    counted: dict[str, Any]
    if feature.kind in ("number", "integer"):
        counted = _binned(present)
    elif feature.kind == "text":
        counted = _binned([len(value) for value in present])
    elif feature.kind == "image":
        counted = _binned([value.brightness for value in present])
    else:
        counted = {"counts": _counts(present)}
    return counted | {"missing": len(values) - len(present)}


def _output(schema: Schema, values: Sequence[Any]) -> dict[str, Any]:
    if schema.output.kind != "regression":
        return {"counts": _counts(values)}
    return _binned([value for value in values if isinstance(value, (int, float))])


def _counts(values: Sequence[Any]) -> dict[str, int]:
    return {str(value): n for value, n in Counter(values).most_common()}


def _binned(values: list[float]) -> dict[str, Any]:
    """Counts between the training deciles, so that every bin holds a like share of the sample."""
    ordered = sorted(values)
    edges = sorted({float(ordered[int(p * (len(ordered) - 1))]) for p in EDGES}) if ordered else []
    counts = Counter(bisect_right(edges, value) for value in ordered)
    return {"edges": edges, "counts": [counts[i] for i in range(len(edges) + 1)]}
