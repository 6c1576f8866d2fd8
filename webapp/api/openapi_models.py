"""The part of the OpenAPI document that tells of one version, and of two beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.api.schemas import ENGINES, MOMENT, TEXT, object_of

ANY: dict[str, Any] = {"type": ["object", "null"]}
MAYBE: dict[str, Any] = {"type": ["string", "null"]}
VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "schema": {**TEXT, "pattern": "^[0-9]{1,8}$"},
}

SCHEMAS: dict[str, dict[str, Any]] = {
    "VersionInFull": object_of(
        {
            "name": TEXT,
            "version": TEXT,
            "live": {"type": "boolean"},
            "task": TEXT,
            "schema": {"type": "object"},
            "card": ANY,
            "metrics": ANY,
            "engines": {**ANY, "properties": {"picked": TEXT, "options": ENGINES}},
            "warnings": {"type": "array", "items": TEXT},
            "profile": {"type": "object"},
            "lineage": object_of(
                {"source_sha256": MAYBE, "filename": MAYBE, "data_sha256": MAYBE, "test_sha256": MAYBE}
            ),
            "artifact_sha256": TEXT,
            "manifest_sha256": TEXT,
            "published_by": MAYBE,
            "created_at": MOMENT,
        }
    ),
    "Lineage": object_of(
        {
            "id": TEXT,
            "model": TEXT,
            "version": TEXT,
            "artifact_sha256": TEXT,
            "schema_hash": TEXT,
            "manifest_sha256": TEXT,
            "source_sha256": MAYBE,
            "data_sha256": MAYBE,
            "test_sha256": MAYBE,
            "training_code": TEXT,
            "software": {"type": "object", "additionalProperties": TEXT},
            "published_by": MAYBE,
            "published_at": MOMENT,
            "release": {
                "oneOf": [{"$ref": "#/components/schemas/Release"}, {"type": "null"}],
                "description": "By which it answered; null where a version was named, or two were compared.",
            },
        }
    ),
    "Comparison": object_of(
        {
            "from": TEXT,
            "to": TEXT,
            "schema": {
                "type": "array",
                "items": object_of({"feature": MAYBE, "member": TEXT, "from": {}, "to": {}}),
            },
            "metrics": {"type": "object"},
            "same_rows": {"type": ["boolean", "null"]},
            "card": {"type": "object"},
            "software": {"type": "object"},
            "engines": {"type": "object"},
            "predictions": ANY,
            "reason": MAYBE,
        }
    ),
}


def _side(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": True, "schema": {**TEXT, "pattern": "^[0-9]{1,8}$"}}


def routes(
    operation: Callable[..., dict[str, Any]],
    ref: Callable[[str], dict[str, Any]],
    model: dict[str, Any],
) -> dict[str, Any]:
    """Path → operations."""
    return {
        "/models/{model}/versions/{version}": {
            "get": operation(
                "show_version",
                "One version: card, metrics with intervals, engines, lineage",
                parameters=[model, VERSION],
                answers={"200": ref("VersionInFull")},
                errors=(401, 404),
            )
        },
        "/models/{model}/compare": {
            "get": operation(
                "compare_versions",
                "What changed from one version to another",
                parameters=[model, _side("from"), _side("to")],
                answers={"200": ref("Comparison")},
                errors=(401, 404, 422),
            )
        },
    }
