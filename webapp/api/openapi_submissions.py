"""Submissions in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.api.openapi_jobs import COUNT, ID, PAGING
from webapp.api.schemas import ENGINES, MOMENT, TEXT, object_of
from webapp.services.submissions import WISHES

STATES = ["waiting", "inspecting", "choosing", "published", "refused", "failed", "cancelled"]
TEXTS = {"type": "array", "items": TEXT}
NULLABLE = {"type": ["string", "null"]}
ENGINE = {"enum": list(WISHES), "description": "Which engine is to answer; default: auto."}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_NUMBER = {"type": "number"}
SCHEMAS = {
    "Engine": object_of(
        {"name": TEXT, "offered": {"type": "boolean"}, "exact": {"type": "boolean"}, "reason": TEXT},
        {
            "bytes": COUNT,
            "one_us": _NUMBER,
            "many_us_per_row": _NUMBER,
            "rows": COUNT,
            "agree": _SHARE,
            "largest": _NUMBER,
            "score": _NUMBER,
            "score_name": TEXT,
            "scored_on": {"enum": ["test data", "training data"]},
        },
    ),
    "Submission": object_of(
        {
            "id": TEXT,
            "model": TEXT,
            "state": {"enum": STATES},
            "stage": {**TEXT, "description": "What is being done, in words."},
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "version": NULLABLE,
            "live": {"type": ["boolean", "null"]},
            "page": {**NULLABLE, "description": "Address of the version it became."},
            "errors": {"type": "array", "items": object_of({"pointer": TEXT, "detail": TEXT})},
            "warnings": TEXTS,
            "engine": ENGINE,
            "report": {
                "type": ["object", "null"],
                "description": "What was found in the files.",
                "properties": {"engines": ENGINES},
            },
            "user": TEXT,
            "created_at": MOMENT,
            "finished_at": NULLABLE,
        }
    ),
}
_CHOICE = {
    "type": "object",
    "properties": {"engine": {**TEXT, "description": "One that the report offers, or auto."}},
    "required": ["engine"],
    "additionalProperties": False,
}
_FILE = {**TEXT, "format": "binary"}
_FORM = {
    "type": "object",
    "properties": {
        "model": {**_FILE, "description": "The model: skops or ONNX."},
        "data": {**_FILE, "description": "Training sample with the target: CSV or Parquet."},
        "test": {**_FILE, "description": "Rows that the model has not seen, for the scores."},
        "target": {**TEXT, "description": "The column that the model predicts."},
        "title": TEXT,
        "description": TEXT,
        "schema": {**TEXT, "description": "A JSON object that corrects the inferred schema."},
        "card": {**TEXT, "description": "A JSON object with the texts of the card."},
        "promote": {"enum": ["true", "false"], "description": "Whether the version shall answer at once."},
        "engine": ENGINE,
    },
    "required": ["model", "data", "target"],
    "additionalProperties": False,
}


def routes(
    operation: Callable[..., dict[str, Any]], ref: Callable[[str], dict[str, Any]], model: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Paths and operations; `operation` makes one, `ref` refers to a schema, `model` is the name in an address."""
    one = ref("Submission")
    page = {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": one},
            "has_more": {"type": "boolean"},
            "next_cursor": NULLABLE,
        },
        "required": ["data", "has_more", "next_cursor"],
    }
    return {
        "/models/{model}/versions": {
            "post": operation(
                "publish_version",
                "Publish a model file as the next version",
                parameters=[model],
                body={"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
                answers={"202": one},
                errors=(401, 403, 404, 413, 415, 422, 429),
            )
        },
        "/submissions": {
            "get": operation(
                "list_submissions",
                "Submissions, newest first",
                parameters=PAGING,
                answers={"200": page},
                errors=(401, 422),
            )
        },
        "/submissions/{id}": {
            "get": operation(
                "show_submission", "One submission", parameters=[ID], answers={"200": one}, errors=(401, 404)
            ),
            "delete": operation(
                "cancel_submission",
                "End a submission before it is a version",
                parameters=[ID],
                answers={"200": one},
                errors=(401, 403, 404, 409),
            ),
        },
        "/submissions/{id}/engine": {
            "post": operation(
                "choose_engine",
                "Pick the engine that a submission is published with",
                parameters=[ID],
                body={"required": True, "content": {"application/json": {"schema": _CHOICE}}},
                answers={"202": one},
                errors=(400, 401, 403, 404, 409, 413, 415, 422),
            )
        },
    }
