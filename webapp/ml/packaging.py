"""From a fitted model and its sample to everything a version is: files, manifest and schema."""

from __future__ import annotations

import hashlib
import json
import platform
import random
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from webapp.errors import BadArtifact
from webapp.ml import costs, metrics
from webapp.ml.compiler import TOLERANCE, compile_onnx
from webapp.ml.engines import Answers, Engine, OnnxEngine, SklearnEngine, cause, decided
from webapp.ml.golden import golden
from webapp.ml.image_models import completed, declared, fitted_layout, graph_layout
from webapp.ml.infer import infer_schema
from webapp.ml.layout import Rows
from webapp.ml.loader import load_pickle, load_skops, save_joblib, save_skops
from webapp.ml.measuring import measure
from webapp.ml.onnx_files import check_onnx, onnx_layout
from webapp.ml.profile import profile
from webapp.ml.sampling import Labelled, labelled, named, ordered, trained_layout
from webapp.ml.schema import Output, Schema
from webapp.ml.store import describe

if TYPE_CHECKING:
    import pandas as pd

#: What the publisher writes; the rest of a model card (Mitchell et al. 2019) is known from the files.
CARD: Final = (
    "title",
    "description",
    "intended_use",
    "not_intended_use",
    "training_data",
    "training_code",
    "caveats",
    "bias_and_ethics",
    "contact",
)
LIBRARIES: Final = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "onnx", "onnxruntime", "skl2onnx")
KEPT_ROWS: Final = 500
#: how far floats may be apart, relative to the largest, because a batch is summed in another order
ROUNDING: Final = 1e-3


class Package(NamedTuple):
    """Ready for `Store.publish`."""

    files: dict[str, bytes]
    manifest: dict[str, Any]
    schema: Schema


class _Parts(NamedTuple):
    """What depends on the format: files, their manifest members, and the engines they give."""

    schema: Schema
    sample: Labelled
    files: dict[str, bytes]
    members: dict[str, Any]
    engines: dict[str, Engine]
    reason: str
    #: The model says by name which feature is which.
    knows_names: bool


def package(
    model: Any,
    X: pd.DataFrame,
    y: pd.Series[Any],
    *,
    format: str,
    test: tuple[pd.DataFrame, pd.Series[Any]] | None = None,
    card: dict[str, str] | None = None,
    edits: dict[str, Any] | None = None,
    report: dict[str, Any] | None = None,
    tell: Callable[[str], None] = lambda _stage: None,
) -> Package:
    """Describe, compile, measure and score a model.

    `model` is a fitted estimator, or the bytes of an ONNX file; `format` is skops, joblib (only for what a
    trusted operator gives) or onnx. `X` (rows × features) and `y` are the training sample; scores come from
    `test` where given. `report` gets what was found on the way, `tell` hears of every stage. Raises BadArtifact with
    what to correct.
    """
    report = {} if report is None else report
    frame, target = named(X, y)
    edits, prices = costs.apart(edits)
    tell("learning")
    if format == "onnx":
        parts = _from_onnx(model, frame, target, edits, report)
    elif format in ("skops", "joblib"):
        parts = _from_estimator(model, frame, target, format, edits, report, tell)
    else:
        raise BadArtifact("The format must be skops, onnx or joblib.")
    schema, kept = parts.schema, _some(parts.sample.rows)
    tell("scoring")
    served = parts.engines.get("onnx") or parts.engines["sklearn"]
    scored = labelled(*named(*test), schema) if test else parts.sample
    priced = {}
    if prices is not None:
        output, priced["costs"] = costs.choose(
            prices, schema.output, scored.truth, served.answer(scored.rows)[1]
        )
        schema = Schema(schema.features, output)
    served = decided(served, schema.output)
    served_by = {name: decided(engine, schema.output) for name, engine in parts.engines.items()}
    files = parts.files | {
        "reference.json": _json(profile(schema, parts.sample, served.answer(parts.sample.rows)[0])),
        "rows.json": _json([dict(zip(schema.names, row, strict=True)) for row in kept]),
        "answers.json": _json(golden(*served.answer(kept))),
    }
    scores = _scores(schema, served, scored)
    tell("measuring")
    engines = measure(served_by, kept, parts.reason)
    report["latency"] = engines.pop("latency")
    report["metrics"] = {"on": "test data" if test else "training data"} | scores | priced
    manifest = {
        **parts.members,
        "files": describe(files),
        "libraries": {name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "schema": schema.to_dict(),
        "schema_hash": schema.digest,
        "metrics": report["metrics"],
        "card": {key: (card or {}).get(key, "") for key in CARD},
        "engines": engines,
        "n_rows": len(parts.sample.rows),
        "warnings": [] if parts.knows_names or len(schema.names) == 1 else [_by_order(schema)],
    }
    return Package(files, manifest, schema)


def _from_estimator(
    estimator: Any,
    frame: pd.DataFrame,
    target: pd.Series[Any],
    format: str,
    edits: dict[str, Any] | None,
    report: dict[str, Any],
    tell: Callable[[str], None],
) -> _Parts:
    if not hasattr(estimator, "predict"):
        raise BadArtifact("The object is not an estimator: it has no predict.")
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
    compiled = compile_onnx(original, schema, _some(sample.rows))
    report["conversion"] = {"done": compiled.onnx is not None, "reason": compiled.reason}
    if compiled.onnx is not None:
        report["parity"] = {"rows": compiled.rows, "largest": compiled.largest}
    name = f"model.{format}"
    files, engines = {name: data}, {"sklearn": original}
    members: dict[str, Any] = {
        "format": format,
        "digest": hashlib.sha256(data).hexdigest(),
        "trusted": format == "joblib",
        "sklearn": {"file": name, "layout": original.layout.to_dict()},
    }
    all_engines: dict[str, Engine] = dict(engines)
    if compiled.onnx is not None and compiled.layout is not None:
        files["compiled.onnx"] = compiled.onnx
        members["onnx"] = {"file": "compiled.onnx", "layout": compiled.layout.to_dict()}
        all_engines["onnx"] = OnnxEngine(compiled.onnx, compiled.layout, schema.output)
    knows_names = getattr(fitted, "feature_names_in_", None) is not None
    return _Parts(schema, sample, files, members, all_engines, compiled.reason, knows_names)


def _from_onnx(
    data: bytes,
    frame: pd.DataFrame,
    target: pd.Series[Any],
    edits: dict[str, Any] | None,
    report: dict[str, Any],
) -> _Parts:
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
    members = {
        "format": "onnx",
        "digest": hashlib.sha256(data).hexdigest(),
        "trusted": False,
        "onnx": {"file": "model.onnx", "layout": engine.layout.to_dict()},
    }
    files, knows_names = {"model.onnx": data}, layout.kind == "columns"
    return _Parts(schema, sample, files, members, {"onnx": engine}, "Published as ONNX.", knows_names)


def _by_order(schema: Schema) -> str:
    return (
        "The model does not know its features by name; they are taken in the order of the file: "
        f"{', '.join(schema.names)}. Fit it on a table with column names to have them checked."
    )


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
        raise BadArtifact("Models with several targets are not served; publish one model for each target.")
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
            f"The model fails on its own sample ({type(error).__name__}: {cause(error)})."
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
            "The graph answers a row alone otherwise than among others; export it for prediction, without parts that "
            "are random or depend on the other rows."
        )


def _refuse_other_classes(values: list[Any], shares: list[list[float]] | None, output: Output) -> None:
    classes = [choice.value for choice in output.classes]
    strange = [value for value in values if value not in classes]
    if strange:
        raise BadArtifact(
            f"The graph answers {strange[0]!r}, which is not among the target's values {classes}."
        )
    if shares is None:
        return
    shape = np.shape(shares)
    if shape != (len(values), len(classes)):
        raise BadArtifact(
            f"The graph gives probabilities of the shape {shape} for {len(values)} rows and {len(classes)} classes; "
            "export it with one for each row and class, or with the label alone."
        )
    if output.probabilities and (np.min(shares) < -TOLERANCE or np.max(shares) > 1 + TOLERANCE):
        raise BadArtifact(
            "The graph gives probabilities below 0 or above 1; end it with Softmax, or export the label alone."
        )


def _scores(schema: Schema, engine: Engine, sample: Labelled) -> dict[str, Any]:
    values, shares = engine.answer(sample.rows)
    if schema.output.kind == "regression":
        return {"n_rows": len(values)} | metrics.regression(sample.truth, values)
    classes = [choice.value for choice in schema.output.classes]
    if schema.output.kind == "ranking":
        ranked = metrics.ranking(sample.truth, shares or [], classes, schema.output.top or 1)
        return {"n_rows": len(values)} | ranked
    return {"n_rows": len(values)} | metrics.classification(sample.truth, values, shares, classes)


def _some(rows: Rows) -> Rows:
    """At most 500, in their order, always the same ones."""
    if len(rows) <= KEPT_ROWS:
        return rows
    chosen = sorted(random.Random(20260101).sample(range(len(rows)), KEPT_ROWS))  # noqa: S311 — a sample
    return [rows[i] for i in chosen]


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
