"""What a model and its sample give before any choice is made: schema, rows, and the engines that answer alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from webapp.errors import BadArtifact
from webapp.ml.compiler import TOLERANCE, compile_onnx
from webapp.ml.engines import Answers, Engine, OnnxEngine, SklearnEngine, cause
from webapp.ml.image_models import completed, declared, fitted_layout, graph_layout
from webapp.ml.infer import infer_schema
from webapp.ml.layout import Layout, Rows
from webapp.ml.loader import load_pickle, load_skops, save_joblib, save_skops
from webapp.ml.onnx_files import check_onnx, onnx_layout
from webapp.ml.sampling import Labelled, labelled, ordered, some, trained_layout
from webapp.ml.schema import Output, Schema
from webapp.wording import pack, said

if TYPE_CHECKING:
    import pandas as pd

#: how far floats may be apart, relative to the largest, because a batch is summed in another order
ROUNDING: Final = 1e-3


class Form(NamedTuple):
    """One way in which a model can answer: an engine, and the file it is made from."""

    engine: Engine
    file: str
    data: bytes
    layout: Layout


class Parts(NamedTuple):
    """`forms` by engine, those that answer as the model does; the first is the model itself."""

    format: str
    schema: Schema
    sample: Labelled
    forms: dict[str, Form]
    #: Why it is these.
    reason: str
    #: A graph in single precision that agrees but for rounding.
    single: tuple[bytes, Layout] | None
    #: The model says by name which feature is which.
    knows_names: bool

    @property
    def model(self) -> Form:
        """The model as it was given."""
        return next(iter(self.forms.values()))


def from_estimator(
    estimator: Any,
    frame: pd.DataFrame,
    target: pd.Series[Any],
    format: str,
    edits: dict[str, Any] | None,
    report: dict[str, Any],
    tell: Callable[[str], None],
) -> Parts:
    """Of a fitted estimator, saved as skops, or as joblib where that is asked for or needed. Raises BadArtifact."""
    if not hasattr(estimator, "predict"):
        raise BadArtifact(said("The object is not an estimator: it has no predict."))
    format, data = _saved(estimator, format)
    fitted = (
        load_skops(data) if format == "skops" else load_pickle(data, trusted=True)
    )  # what is served is what was stored
    if not declared(edits):
        frame = ordered(fitted, frame)
    classes = getattr(fitted, "classes_", None)
    schema = infer_schema(
        frame,
        target,
        task="regression" if classes is None else "classification",
        target_name=str(target.name or "target"),
        edits=edits,
        classes=None if classes is None else _flat(classes),
        probabilities=classes is not None and hasattr(fitted, "predict_proba"),
    )
    layout = fitted_layout(fitted, schema) if schema.image else trained_layout(fitted, frame)
    original = SklearnEngine(fitted, layout, schema.output)
    schema = _closed_where_needed(schema, original)
    sample = labelled(frame, target, schema)
    _answered(original, sample.rows)
    schema = _with_answerable_example(schema, original, sample.rows)
    tell("converting")
    compiled = compile_onnx(original, schema, some(sample.rows))
    report["conversion"] = {"done": compiled.onnx is not None, "reason": pack(compiled.reason)}
    forms = {"sklearn": Form(original, f"model.{format}", data, layout)}
    if compiled.onnx is not None and compiled.layout is not None:
        report["parity"] = {"rows": compiled.rows, "largest": compiled.largest}
        graph = OnnxEngine(compiled.onnx, compiled.layout, schema.output)
        forms["onnx"] = Form(graph, "compiled.onnx", compiled.onnx, compiled.layout)
    knows_names = getattr(fitted, "feature_names_in_", None) is not None
    return Parts(format, schema, sample, forms, compiled.reason, compiled.single, knows_names)


def from_onnx(
    data: bytes,
    frame: pd.DataFrame,
    target: pd.Series[Any],
    edits: dict[str, Any] | None,
    report: dict[str, Any],
) -> Parts:
    """Of an ONNX file, which answers as it is. Raises BadArtifact."""
    report["types"] = check_onnx(data)
    images = declared(edits) is not None
    edits = completed(edits, data)
    layout, classifies, probabilities = onnx_layout(data, list(frame.columns), images=images)
    schema = infer_schema(
        frame,
        target,
        task="classification" if classifies else None,
        target_name=str(target.name or "target"),
        edits=edits,
        probabilities=probabilities,
    )
    engine = OnnxEngine(data, graph_layout(data, schema) if schema.image else layout, schema.output)
    sample = labelled(frame, target, schema)
    _refuse_other_answers(engine, schema, sample.rows)
    schema = _with_answerable_example(schema, engine, sample.rows)
    forms = {"onnx": Form(engine, "model.onnx", data, engine.layout)}
    knows_names = layout.kind == "columns"
    return Parts("onnx", schema, sample, forms, said("Published as ONNX."), None, knows_names)


def _saved(estimator: Any, format: str) -> tuple[str, bytes]:
    try:
        data = save_skops(estimator)
        load_skops(data)
    except BadArtifact:
        if format == "skops":
            raise
        return "joblib", save_joblib(estimator)
    return "skops", data


def _flat(classes: Any) -> list[Any]:
    if isinstance(classes, list):
        raise BadArtifact(
            said("Models with several targets are not served; publish one model for each target.")
        )
    values: list[Any] = classes.tolist()
    return values


def _closed_where_needed(schema: Schema, original: SklearnEngine) -> Schema:
    """Close a category whose unknown values the estimator refuses: better a clear 422 than a failure."""
    example = schema.check(schema.example()).values
    features = list(schema.features)
    for i, feature in enumerate(features):
        worded = feature.kind == "category" and all(isinstance(c.value, str) for c in feature.choices)
        if worded and feature.choices and not feature.closed and _answers(original, example):
            strange = (*example[:i], "unknown value", *example[i + 1 :])
            features[i] = replace(feature, closed=not _answers(original, strange))
    return Schema(tuple(features), schema.output)


def _with_answerable_example(schema: Schema, engine: Engine, rows: Rows) -> Schema:
    """Typical values taken together may be a row that the model has no answer for; then a true row."""
    if _answers(engine, schema.check(schema.example()).values):
        return schema
    pairs = zip(schema.features, rows[0], strict=True)
    return Schema(tuple(replace(feature, example=value) for feature, value in pairs), schema.output)


def _answers(engine: Engine, row: tuple[Any, ...]) -> bool:
    try:
        engine.answer([row])
    except Exception:  # noqa: BLE001 — whatever a model raises for a value, it does not take it
        return False
    return True


def _answered(engine: Engine, rows: Rows) -> Answers:
    """The answers; raises BadArtifact where there are none."""
    try:
        return engine.answer(rows)
    except Exception as error:
        raise BadArtifact(
            said(
                "The model fails on its own sample ({kind}: {error}).",
                kind=type(error).__name__,
                error=cause(error),
            )
        ) from error


def _refuse_other_answers(engine: Engine, schema: Schema, rows: Rows) -> None:
    """Raises BadArtifact for a graph that takes rows but does not answer each of them as the schema says."""
    values, shares = _answered(engine, rows)
    if schema.output.kind != "regression":
        _refuse_other_classes(values, shares, schema.output)
    (alone,), share = _answered(engine, rows[:1])
    if shares is not None:  # which decide, since a label can hang on the last bit of a tie
        agree = np.allclose(share or [], shares[0], atol=ROUNDING)
    elif schema.output.kind != "regression":
        agree = alone == values[0]
    else:
        agree = abs(alone - values[0]) <= ROUNDING * max(map(abs, values))
    if not agree:
        raise BadArtifact(
            said(
                "The graph answers a row alone otherwise than among others; export it for prediction, "
                "without parts that are random or depend on the other rows."
            )
        )


def _refuse_other_classes(values: list[Any], shares: list[list[float]] | None, output: Output) -> None:
    classes = [choice.value for choice in output.classes]
    strange = [value for value in values if value not in classes]
    if strange:
        raise BadArtifact(
            said(
                "The graph answers {value}, which is not among the target's values {known}.",
                value=repr(strange[0])[:100],
                known=str(classes)[:400],
            )
        )
    if shares is None:
        return
    shape = np.shape(shares)
    if shape != (len(values), len(classes)):
        raise BadArtifact(
            said(
                "The graph gives probabilities of the shape {shape} for {rows} rows and {classes} classes; "
                "export it with one for each row and class, or with the label alone.",
                shape=shape,
                rows=len(values),
                classes=len(classes),
            )
        )
    if output.probabilities and (np.min(shares) < -TOLERANCE or np.max(shares) > 1 + TOLERANCE):
        raise BadArtifact(
            said(
                "The graph gives probabilities below 0 or above 1; end it with Softmax, or export the "
                "label alone."
            )
        )
