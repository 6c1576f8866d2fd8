"""Predicting, in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webapp.api.openapi.operations import MODEL, Node, Routes, answer, link, operation, request
from webapp.api.openapi.schemas import (
    FLAG,
    MOMENT,
    NUMBER,
    TEXT,
    Schema,
    body_of,
    list_of,
    maybe,
    object_of,
    ref,
)
from webapp.services.predictions import SUBJECT
from webapp.services.registry import ModelDetail

TAG, ABOUT = "predictions", "Ask a model; every answer is put on the record first."
VALUE: Schema = {"type": ["string", "number", "boolean"]}
RANKING: Schema = {
    **list_of(object_of({"item": VALUE, "label": TEXT, "score": NUMBER})),
    "description": "Of a ranking alone: its first items, in order, with their scores.",
}
THRESHOLD: Schema = {
    **object_of({"label": TEXT, "at_least": NUMBER, "reached": FLAG}),
    "description": "Where the version has thresholds: the one reached by the answered class or, where none is, "
    "missed by least.",
}
ANSWER: dict[str, Schema] = {
    "id": TEXT,
    "model": TEXT,
    "version": TEXT,
    "prediction": {
        "type": [*VALUE["type"], "array"],
        "items": VALUE,
        "description": "The class, or the number; of a ranking its items, in order.",
    },
    "label": maybe(TEXT),
    "probabilities": {"type": ["object", "null"], "additionalProperties": NUMBER},
    "warnings": list_of(ref("Warning")),
    "cached": FLAG,
    "latency_ms": NUMBER,
    "created_at": MOMENT,
}
_REFUSED = object_of({"errors": list_of(object_of({"pointer": TEXT, "detail": TEXT}))})
SCHEMAS: dict[str, Schema] = {
    "Warning": object_of({"feature": TEXT, "kind": TEXT, "detail": TEXT}),
    "Prediction": object_of(ANSWER, {"unit": maybe(TEXT), "ranking": RANKING, "threshold": THRESHOLD}),
    "Predictions": object_of({"predictions": list_of({"anyOf": [ref("Prediction"), _REFUSED]})}),
}
KEY: Node = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Send the same key again to get the same records instead of new ones; kept for at least 24 hours.",
    "schema": {**TEXT, "pattern": '^"?[!#-~]{1,255}"?$'},
}
PREFER: Node = {
    "name": "Prefer",
    "in": "header",
    "description": "RFC 7240: with respond-async, `instances` become a batch, and the answer is 202.",
    "schema": TEXT,
}
_OPTIONS: dict[str, Schema] = {
    "version": {
        **maybe(TEXT),
        "description": "Number of the version that should answer; default: the live one.",
    },
    "alias": {**maybe(TEXT), "description": "Alias of the version that should answer."},
    "subject": {
        **maybe(TEXT),
        "minLength": 1,
        "maxLength": 200,
        "pattern": f"^{SUBJECT.pattern}$",
        "description": "Pseudonym of whom it is about.",
    },
    "on_error": {"enum": ["all", "row"], "description": "Whether a bad row refuses all of `instances`."},
    "explain": {"const": False, "description": "Explanations are not available yet."},
}
_BOTH: Schema = {"required": ["version", "alias"], "properties": {"version": TEXT, "alias": TEXT}}
_ANY_ROW: Schema = {"type": "object", "description": "feature name: value"}


def routes(shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    example = shown.schema.example() if shown else None
    any_model = _predict("predict", "Predict one row or many", _ANY_ROW, example, [MODEL])
    return {"/models/{model}/predict": {"post": any_model}}


def concrete(details: Iterable[ModelDetail], default: str) -> Routes:
    """An operation for each of these models, and the one that predicts with the model `default`."""
    known = {detail.name: detail for detail in details}
    asked = known.get(default)
    row, example = (asked.schema.json_schema(), asked.schema.example()) if asked else (_ANY_ROW, None)
    found = {
        "/predict": {"post": _predict("predict_default", "Predict with the default model", row, example)}
    }
    for name, detail in known.items():
        word, row = f"predict_{name.replace('-', '_')}", detail.schema.json_schema()
        told = f"Predict with {detail.title}"
        found[f"/models/{name}/predict"] = {"post": _predict(word, told, row, detail.schema.example())}
    return found


def _predict(
    operation_id: str,
    summary: str,
    row: Schema,
    example: dict[str, Any] | None,
    parameters: list[Node | str] | None = None,
) -> Node:
    words = ("show_prediction", "show_lineage", "prove_prediction", "report_outcome")
    found = {word: link(word, id="$response.body#/id") for word in words}
    taken = {"Location": "Location", "Preference-Applied": "PreferenceApplied"}
    follow = {word: link(word, id="$response.body#/id") for word in ("show_job", "show_result", "cancel_job")}
    either = {"oneOf": [ref("Prediction"), ref("Predictions")]}
    return operation(
        operation_id,
        summary,
        body=request({"oneOf": [_one(row), _many(row), _each()]}, example and {"inputs": example}),
        parameters=[*(parameters or []), KEY, PREFER],
        answers={
            "200": answer("One answer, or one for each row", either, links=found),
            "202": answer("Taken up as a batch", ref("Job"), headers=taken, links=follow),
        },
        errors=(403, 404, 409),
    )


def _one(row: Schema) -> Schema:
    return _either(body_of({"inputs": row}, _OPTIONS) | {"title": "One row"})


def _many(row: Schema) -> Schema:
    options = _OPTIONS | {"on_error": {"const": "all", "description": "A bad row refuses all; the default."}}
    return _either(body_of({"instances": {**list_of(row), "minItems": 1}}, options) | {"title": "Many rows"})


def _each() -> Schema:
    rows = {"type": "array", "minItems": 1, "description": "Rows; bad ones are answered with their problems."}
    alone = {"on_error": {"const": "row", "description": "A bad row refuses itself alone."}}
    options = {name: schema for name, schema in _OPTIONS.items() if name not in alone}
    return _either(body_of({"instances": rows, **alone}, options) | {"title": "Many rows, each for itself"})


def _either(body: Schema) -> Schema:
    return {**body, "not": _BOTH}
