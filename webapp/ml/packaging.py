"""From a fitted model and its sample to everything a version is: files, manifest and schema."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from webapp.errors import BadArtifact
from webapp.ml import costs, metrics, options
from webapp.ml.engines import Engine, decided
from webapp.ml.golden import golden
from webapp.ml.parts import Form, Parts, from_estimator, from_onnx
from webapp.ml.profile import profile
from webapp.ml.sampling import Labelled, labelled, named, some
from webapp.ml.schema import Schema
from webapp.ml.store import describe
from webapp.wording import pack, said, said_n

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
#: Characters of the features that a warning lists.
LONGEST_LIST: Final = 1500
#: Rows of a sample below which a warning says so.
FEW: Final = 10
LIBRARIES: Final = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "onnx", "onnxruntime", "skl2onnx")


class Package(NamedTuple):
    """Ready for `Store.publish`."""

    files: dict[str, bytes]
    manifest: dict[str, Any]
    schema: Schema


def package(
    model: Any,
    X: pd.DataFrame,
    y: pd.Series[Any],
    *,
    format: str,
    test: tuple[pd.DataFrame, pd.Series[Any]] | None = None,
    card: dict[str, str] | None = None,
    edits: dict[str, Any] | None = None,
    engine: str = "auto",
    report: dict[str, Any] | None = None,
    tell: Callable[[str], None] = lambda _stage: None,
) -> Package:
    """Describe, compile, measure and score a model.

    `model` is a fitted estimator, or the bytes of an ONNX file; `format` is skops, joblib (only for what a
    trusted operator gives) or onnx. `X` (rows × features) and `y` are the training sample; scores come from
    `test` where given. `engine` is one of `options.WISHES`. `report` gets what was found on the way, `tell` hears of
    every stage. Raises BadArtifact with what to correct.
    """
    report = {} if report is None else report
    frame, target = named(X, y)
    edits, prices = costs.apart(edits)
    tell("learning")
    if format == "onnx":
        parts = from_onnx(model, frame, target, edits, report)
    elif format in ("skops", "joblib"):
        parts = from_estimator(model, frame, target, format, edits, report, tell)
    else:
        raise BadArtifact(said("The format must be skops, onnx or joblib."))
    scored = labelled(*named(*test), parts.schema) if test else parts.sample
    schema, priced = _priced(prices, parts.schema, _preferred(parts.forms), scored)
    tell("measuring")
    shown = options.beside(parts, schema.output, scored, tested=test is not None)
    report["engines"] = [one.facts for one in shown.values()]
    picked = options.pick(shown, engine)
    forms = {name: one.form for name, one in picked.items()}
    tell("scoring")
    if engine in options.NEAR:
        schema, priced = _priced(prices, parts.schema, _preferred(forms), scored)
    served = decided(_preferred(forms), schema.output)
    kept = some(parts.sample.rows)
    files = _files(parts, forms) | {
        "reference.json": _json(profile(schema, parts.sample, served.answer(parts.sample.rows)[0])),
        "rows.json": _json([dict(zip(schema.names, row, strict=True)) for row in kept]),
        "answers.json": _json(golden(*served.answer(kept))),
    }
    report["metrics"] = (
        {"on": "test data" if test else "training data"} | _scores(schema, served, scored) | priced
    )
    manifest = {
        **_members(parts, forms),
        "files": describe(files),
        "libraries": {name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "schema": schema.to_dict(),
        "schema_hash": schema.digest,
        "metrics": report["metrics"],
        "card": {key: (card or {}).get(key, "") for key in CARD},
        "engines": options.told(shown, picked, engine, parts.reason),
        "n_rows": len(parts.sample.rows),
        "warnings": [pack(text) for text in _warnings(parts, schema)],
    }
    return Package(files, manifest, schema)


def _preferred(forms: dict[str, Form]) -> Engine:
    return (forms.get("onnx") or forms["sklearn"]).engine


def _priced(
    prices: Any, schema: Schema, engine: Engine, scored: Labelled
) -> tuple[Schema, dict[str, dict[str, Any]]]:
    """With the thresholds under which the engine's answers cost least, and what the metrics say of them."""
    if prices is None:
        return schema, {}
    output, facts = costs.choose(prices, schema.output, scored.truth, engine.answer(scored.rows)[1])
    return Schema(schema.features, output), {"costs": facts}


def _files(parts: Parts, forms: dict[str, Form]) -> dict[str, bytes]:
    """The model as it was given, whatever serves, and what does."""
    return {form.file: form.data for form in (parts.model, *forms.values())}


def _members(parts: Parts, forms: dict[str, Form]) -> dict[str, Any]:
    own = {
        "format": parts.format,
        "digest": hashlib.sha256(parts.model.data).hexdigest(),
        "trusted": parts.format == "joblib",
    }
    return own | {name: {"file": form.file, "layout": form.layout.to_dict()} for name, form in forms.items()}


def _warnings(parts: Parts, schema: Schema) -> Iterator[str]:
    if not (parts.knows_names or len(schema.names) == 1):
        yield _by_order(schema)
    if len(parts.sample.rows) < FEW:
        yield said_n(
            "The training sample has {n} row: what was learned and scored from it says very little.",
            "The training sample has {n} rows: what was learned and scored from them says very little.",
            n=len(parts.sample.rows),
        )


def _by_order(schema: Schema) -> str:
    names = ", ".join(schema.names)
    return said(
        "The model does not know its features by name; they are taken in the order of the file: {names}. "
        "Fit it on a table with column names to have them checked.",
        names=names if len(names) <= LONGEST_LIST else names[:LONGEST_LIST] + "…",
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


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
