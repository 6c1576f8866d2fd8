"""The OpenAPI 3.1 document: the routes from the table below, and a concrete predict request per published model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apispec import APISpec

from webapp.api import (
    openapi_audit,
    openapi_experiments,
    openapi_jobs,
    openapi_models,
    openapi_releases,
    openapi_submissions,
)
from webapp.api.schemas import MOMENT, TEXT, object_of
from webapp.services.filters import WORDS
from webapp.services.predictions import SUBJECT
from webapp.services.registry import ModelDetail

JSON = "application/json"
MODEL = {"name": "model", "in": "path", "required": True, "schema": {**TEXT, "maxLength": 63}}
RECORD_ID = {"name": "id", "in": "path", "required": True, "schema": {**TEXT, "maxLength": 49}}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Send the same key again to get the same records instead of new ones; kept for at least 24 hours.",
    "schema": {**TEXT, "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
}


def document(version: str, details: Iterable[ModelDetail]) -> dict[str, Any]:
    """The document as a dict, for the models given."""
    spec = APISpec(
        title="Parecer",
        version=version,
        openapi_version="3.1.0",
        info={"description": "Predictions with every answer on the record."},
        security=[{"bearer": []}],
        servers=[{"url": "/api/v1"}],
    )
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    schemas = {
        **SCHEMAS,
        **openapi_audit.SCHEMAS,
        **openapi_models.SCHEMAS,
        **openapi_releases.SCHEMAS,
        **openapi_experiments.SCHEMAS,
        **openapi_submissions.SCHEMAS,
        "Job": openapi_jobs.JOB,
    }
    for name, schema in schemas.items():
        spec.components.schema(name, schema)
    batches = openapi_jobs.routes(_operation, _ref("Job"))
    evidence = openapi_audit.routes(_operation, _ref, RECORD_ID)
    versions = openapi_models.routes(_operation, _ref, MODEL)
    releases = openapi_releases.routes(_operation, _ref, MODEL)
    compared = openapi_experiments.routes(_operation, _ref, MODEL)
    submissions = openapi_submissions.routes(_operation, _ref, MODEL)
    for part in (ROUTES, versions, releases, compared, evidence, batches, submissions):
        for path, operations in part.items():
            spec.path(path, operations=operations)
    for detail in details:
        spec.path(f"/models/{detail.name}/predict", operations={"post": _predict_one(detail)})
    return spec.to_dict()


def _predict_one(detail: ModelDetail) -> dict[str, Any]:
    row = detail.schema.json_schema()
    return _operation(
        f"predict_{detail.name.replace('-', '_')}",
        f"Predict with {detail.title}",
        body=_request(row, detail.schema.example()),
        parameters=[KEY],
        answers={"200": {"oneOf": [_ref("Prediction"), _ref("Predictions")]}},
        errors=PREDICT_ERRORS,
    )


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _request(row: dict[str, Any], example: dict[str, Any] | None = None) -> dict[str, Any]:
    options = {
        "version": {
            **TEXT,
            "description": "Number of the version that should answer; default: the live one.",
        },
        "alias": {**TEXT, "description": "Alias of the version that should answer."},
        "subject": {
            **TEXT,
            "minLength": 1,
            "maxLength": 200,
            "pattern": f"^{SUBJECT.pattern}$",
            "description": "Pseudonym of whom it is about.",
        },
        "on_error": {"enum": ["all", "row"], "description": "Whether a bad row refuses all of `instances`."},
    }
    one = {
        "type": "object",
        "title": "One row",
        "properties": {"inputs": row, **options},
        "required": ["inputs"],
        "additionalProperties": False,
        "not": {"required": ["version", "alias"]},
    }
    many = {
        "type": "object",
        "title": "Many rows",
        "properties": {"instances": {"type": "array", "items": row, "minItems": 1}, **options},
        "required": ["instances"],
        "additionalProperties": False,
        "not": {"required": ["version", "alias"]},
    }
    shown = {"example": {"inputs": example}} if example else {}
    return {"required": True, "content": {JSON: {"schema": {"oneOf": [one, many]}, **shown}}}


def _operation(
    operation_id: str,
    summary: str,
    *,
    answers: dict[str, dict[str, Any] | None],
    errors: Iterable[int] = (401,),
    body: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    public: bool = False,
) -> dict[str, Any]:
    responses: dict[str, Any] = {
        code: {"description": "Done", **({"content": {JSON: {"schema": schema}}} if schema else {})}
        for code, schema in answers.items()
    }
    for code in sorted({*errors, 400, 405, 413, 429, 500, 503}):
        responses[str(code)] = {
            "description": "Problem",
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
    operation: dict[str, Any] = {"operationId": operation_id, "summary": summary, "responses": responses}
    if body:
        operation["requestBody"] = body
    if parameters:
        operation["parameters"] = parameters
    if public:
        operation["security"] = []
    return operation


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


def _list_of(name: str) -> dict[str, Any]:
    return object_of({"data": {"type": "array", "items": _ref(name)}})


PREDICT_ERRORS = (401, 403, 404, 409, 415, 422)
NUMBER = {"type": "number"}
SCORES = {"type": ["object", "null"], "additionalProperties": NUMBER}
ANSWER = {
    "id": TEXT,
    "model": TEXT,
    "version": TEXT,
    "prediction": {
        "type": ["string", "number", "boolean", "array"],
        "items": {"type": ["string", "number", "boolean"]},
        "description": "The class, or the number; of a ranking its items, in order.",
    },
    "label": _maybe(TEXT),
    "probabilities": SCORES,
    "warnings": {"type": "array", "items": _ref("Warning")},
    "cached": {"type": "boolean"},
    "latency_ms": NUMBER,
    "created_at": MOMENT,
}
RANKING = {
    "type": "array",
    "items": object_of({"item": {"type": ["string", "number", "boolean"]}, "label": TEXT, "score": NUMBER}),
    "description": "Of a ranking alone: its first items, in order, with their scores.",
}
#: Where the version has thresholds: the one reached by the answered class or, where none is, missed by least.
THRESHOLD = object_of({"label": TEXT, "at_least": NUMBER, "reached": {"type": "boolean"}})
SCHEMAS: dict[str, dict[str, Any]] = {
    "Problem": object_of(
        {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT, "instance": TEXT},
        {"errors": {"type": "array", "items": object_of({"pointer": TEXT, "detail": TEXT})}},
    ),
    "Warning": object_of({"feature": TEXT, "kind": TEXT, "detail": TEXT}),
    "Prediction": object_of(ANSWER, {"unit": _maybe(TEXT), "ranking": RANKING, "threshold": THRESHOLD}),
    "Predictions": object_of({"predictions": {"type": "array", "items": {"type": "object"}}}),
    "Record": object_of(
        {**ANSWER, "prediction": {}, "inputs": {"type": ["object", "null"]}, "user": TEXT, "channel": TEXT},
        {
            "ranking": RANKING,
            "threshold": THRESHOLD,
            "review": _maybe(TEXT),
            "outcome": _maybe(TEXT),
            "experiment": _maybe(TEXT),
            "state": {"enum": ["active", "restricted", "erased"]},
            "erasure": object_of({"at": MOMENT, "basis": TEXT}),
        },
    ),
    "Outcome": object_of(
        {
            "id": TEXT,
            "actual": {"type": ["string", "number"]},
            "verdict": {"enum": ["agrees", "differs", "known"]},
            "source": TEXT,
            "user": TEXT,
            "event": TEXT,
            "created_at": MOMENT,
        },
        {
            "rank": {
                "type": ["integer", "null"],
                "description": "Of a ranking alone: the place of what was true.",
            }
        },
    ),
    "Tokens": object_of(
        {"access_token": TEXT, "refresh_token": TEXT, "token_type": TEXT, "expires_in": {"type": "integer"}}
    ),
    "Model": object_of({"name": TEXT, "title": TEXT, "task": TEXT, "version": TEXT}),
    "Version": object_of(
        {
            "version": TEXT,
            "live": {"type": "boolean"},
            "aliases": {"type": "array", "items": TEXT},
            "artifact_sha256": TEXT,
            "created_at": MOMENT,
        }
    ),
}
_OTP = {
    **TEXT,
    "description": "Code of the second factor, or a recovery code; where it is needed and left out, the answer is 401.",
}
_LOGIN = object_of({"username": TEXT, "password": TEXT}, {"otp": _OTP})
_PAGING = [
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    },
    {"name": "offset", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 1_000_000}},
    {"name": "cursor", "in": "query", "schema": TEXT},
    *({"name": name, "in": "query", "schema": TEXT} for name in WORDS),
]
_PAGE = object_of(
    {
        "data": {"type": "array", "items": _ref("Record")},
        "has_more": {"type": "boolean"},
        "next_cursor": _maybe(TEXT),
    }
)
_ACTUAL = {
    **object_of(
        {
            "actual": {
                "type": ["string", "number", "boolean"],
                "description": "A class of the version, by value or label; for a regression a finite number.",
            }
        }
    ),
    "additionalProperties": False,
}
_ANY_ROW = {"type": "object", "description": "feature name: value"}
ROUTES: dict[str, dict[str, Any]] = {
    "/login": {
        "post": _operation(
            "login",
            "Exchange a password for tokens",
            body={"required": True, "content": {JSON: {"schema": _LOGIN}}},
            answers={"200": _ref("Tokens")},
            errors=(401, 403, 415, 422),
            public=True,
        )
    },
    "/refresh": {
        "post": _operation(
            "refresh",
            "Exchange the refresh token (as bearer) for new tokens",
            answers={"200": _ref("Tokens")},
        )
    },
    "/logout": {
        "post": _operation("logout", "Revoke this sign-in everywhere at once", answers={"204": None})
    },
    "/models": {"get": _operation("list_models", "Models that answer", answers={"200": _list_of("Model")})},
    "/models/{model}": {
        "get": _operation(
            "show_model",
            "Schema, card and metrics of a model",
            parameters=[MODEL, {"name": "version", "in": "query", "schema": TEXT}],
            answers={"200": _ref("Model")},
            errors=(401, 404),
        )
    },
    "/models/{model}/versions": {
        "get": _operation(
            "list_versions",
            "Versions of a model, newest first",
            parameters=[MODEL],
            answers={"200": _list_of("Version")},
            errors=(401, 404),
        )
    },
    "/models/{model}/predict": {
        "post": _operation(
            "predict",
            "Predict one row or many",
            body=_request(_ANY_ROW),
            parameters=[MODEL, KEY],
            answers={"200": {"oneOf": [_ref("Prediction"), _ref("Predictions")]}},
            errors=PREDICT_ERRORS,
        )
    },
    "/predict": {
        "post": _operation(
            "predict_default",
            "Predict with the default model",
            body=_request(_ANY_ROW),
            parameters=[KEY],
            answers={"200": {"oneOf": [_ref("Prediction"), _ref("Predictions")]}},
            errors=PREDICT_ERRORS,
        )
    },
    "/predictions": {
        "get": _operation(
            "list_predictions",
            "The record, newest first",
            parameters=_PAGING,
            answers={"200": _PAGE},
            errors=(401, 422),
        )
    },
    "/predictions/{id}": {
        "get": _operation(
            "show_prediction",
            "One record",
            parameters=[RECORD_ID],
            answers={"200": _ref("Record")},
            errors=(401, 404),
        )
    },
    "/predictions/{id}/lineage": {
        "get": _operation(
            "show_lineage",
            "Where an answer comes from",
            parameters=[RECORD_ID],
            answers={"200": _ref("Lineage")},
            errors=(401, 404),
        )
    },
    "/predictions/{id}/outcome": {
        "post": _operation(
            "report_outcome",
            "Report what turned out to be true",
            body={"required": True, "content": {JSON: {"schema": _ACTUAL, "example": {"actual": "setosa"}}}},
            parameters=[RECORD_ID],
            answers={"201": _ref("Outcome")},
            errors=(401, 403, 404, 409, 415, 422),
        )
    },
}
