"""Batches in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.api.schemas import MOMENT, TEXT, object_of

COUNT = {"type": "integer", "minimum": 0}
STATES = ["checking", "checked", "refused", "running", "done", "cancelled", "stopped", "failed"]
ID = {"name": "id", "in": "path", "required": True, "schema": {**TEXT, "maxLength": 49}}
PAGING = [
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    },
    {"name": "cursor", "in": "query", "schema": TEXT},
]
PROBLEM = object_of({"row": COUNT, "line": COUNT, "column": TEXT, "detail": TEXT})
_MEMBERS = {
    "id": TEXT,
    "model": TEXT,
    "version": TEXT,
    "state": {"enum": STATES},
    "file": object_of({"name": TEXT, "bytes": COUNT}),
    "rows": COUNT,
    "bad_rows": COUNT,
    "rows_done": COUNT,
    "rows_recorded": COUNT,
    "rows_refused": COUNT,
    "rows_per_second": {"type": ["number", "null"]},
    "seconds_left": {"type": ["number", "null"]},
    "details": {"type": "array", "items": TEXT},
    "problems": {
        "type": "object",
        "properties": {"total": COUNT, "first": {"type": "array", "items": PROBLEM}},
        "required": ["total", "first"],
    },
    "user": TEXT,
    "created_at": MOMENT,
    "started_at": {"type": ["string", "null"]},
    "finished_at": {"type": ["string", "null"]},
}
JOB = object_of(_MEMBERS)
_FORM = {
    "type": "object",
    "properties": {
        "file": {**TEXT, "format": "binary"},
        "model": TEXT,
        "version": TEXT,
        "subject": {**TEXT, "description": "The column that holds each record's subject."},
        "on_error": {"enum": ["row", "all"], "description": "Whether a bad row refuses the whole file."},
        "delimiter": {"enum": [",", ";", "\t", "|"]},
        "decimal": {"enum": [".", ","]},
        "encoding": {"enum": ["utf-8", "cp1252", "utf-16"]},
    },
    "required": ["file", "model"],
    "additionalProperties": False,
}


def routes(operation: Callable[..., dict[str, Any]], job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Paths and operations; `operation` makes one, `job` refers to the schema of a batch."""
    page = {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": job},
            "has_more": {"type": "boolean"},
            "next_cursor": {"type": ["string", "null"]},
        },
        "required": ["data", "has_more", "next_cursor"],
    }
    result = operation(
        "show_result", "What has been predicted so far", parameters=[ID], answers={}, errors=(401, 404, 409)
    )
    result["responses"]["200"] = {"description": "Done", "content": {"text/csv": {"schema": TEXT}}}
    return {
        "/jobs": {
            "post": operation(
                "create_job",
                "Predict a file",
                body={"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
                answers={"202": job},
                errors=(401, 403, 404, 415, 422),
            ),
            "get": operation(
                "list_jobs",
                "Batches, newest first",
                parameters=PAGING,
                answers={"200": page},
                errors=(401, 422),
            ),
        },
        "/jobs/{id}": {
            "get": operation(
                "show_job", "One batch", parameters=[ID], answers={"200": job}, errors=(401, 404)
            )
        },
        "/jobs/{id}/cancel": {
            "post": operation(
                "cancel_job",
                "End a batch",
                parameters=[ID],
                answers={"200": job},
                errors=(401, 403, 404, 409),
            )
        },
        "/jobs/{id}/result": {"get": result},
    }
