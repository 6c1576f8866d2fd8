"""Comparisons of versions in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.api.openapi_releases import ERRORS, IF_MATCH
from webapp.api.schemas import MOMENT, TEXT, object_of

COUNT = {"type": "integer", "minimum": 0}
MAYBE: dict[str, Any] = {"type": ["number", "null"]}
SHARE = {"type": "number", "minimum": 0.001, "maximum": 1}
KIND = {"enum": ["shadow", "split"]}
_INTERVAL = {
    "oneOf": [
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        {"type": "null"},
    ],
    "description": "Of 95 %.",
}
_ARM = object_of(
    {
        "version": TEXT,
        "n": COUNT,
        "warned": COUNT,
        "labels": {"type": "object", "additionalProperties": COUNT},
        "mean": MAYBE,
        "median_us": MAYBE,
        "p95_us": MAYBE,
        "known": {**COUNT, "description": "Answers whose outcome is known."},
        "right": {"type": ["integer", "null"]},
        "right_interval": _INTERVAL,
        "mean_error": MAYBE,
    }
)
_VERDICT = object_of(
    {
        "result": {"enum": ["better", "not_worse", "inconclusive"]},
        "detail": TEXT,
        "metric": TEXT,
        "n": COUNT,
        **dict.fromkeys(("champion", "challenger", "gain", "low", "high", "margin"), MAYBE),
    }
)
_MEMBERS = {
    "id": TEXT,
    "model": TEXT,
    "kind": KIND,
    "champion": TEXT,
    "challenger": TEXT,
    "share": SHARE,
    "user": {"type": ["string", "null"]},
    "started_at": MOMENT,
    "ended_at": {"type": ["string", "null"]},
}
_CHANGE = object_of({"champion": TEXT, "challenger": TEXT, "n": COUNT})
SCHEMAS = {
    "Experiment": object_of(_MEMBERS),
    "Results": object_of(
        {
            **_MEMBERS,
            "arms": {"type": "array", "items": _ARM},
            "pairs": COUNT,
            "same": {"type": ["integer", "null"]},
            "agreement_interval": _INTERVAL,
            "changes": {"type": "array", "items": _CHANGE},
            "mean_difference": MAYBE,
            "largest_difference": MAYBE,
            "verdict": {"oneOf": [_VERDICT, {"type": "null"}]},
        }
    ),
}
_BEGIN = {**object_of({"version": TEXT, "kind": KIND}, {"share": SHARE}), "additionalProperties": False}


def routes(
    operation: Callable[..., dict[str, Any]], ref: Callable[[str], dict[str, Any]], model: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Path → method → operation, put together with the document's own helpers."""
    one = {"name": "id", "in": "path", "required": True, "schema": {**TEXT, "maxLength": 49}}
    listed = object_of({"data": {"type": "array", "items": ref("Experiment")}})
    return {
        "/models/{model}/experiments": {
            "get": operation(
                "list_experiments",
                "Comparisons of versions, newest first",
                parameters=[model],
                answers={"200": listed},
                errors=(401, 404),
            ),
            "post": operation(
                "start_experiment",
                "Compare a version with the live one",
                body={"required": True, "content": {"application/json": {"schema": _BEGIN}}},
                parameters=[model, IF_MATCH],
                answers={"201": ref("Experiment")},
                errors=ERRORS,
            ),
        },
        "/experiments/{id}": {
            "get": operation(
                "show_experiment",
                "What a comparison has shown",
                parameters=[one],
                answers={"200": ref("Results")},
                errors=(401, 404),
            )
        },
        "/experiments/{id}/end": {
            "post": operation(
                "end_experiment",
                "End a comparison",
                parameters=[one, IF_MATCH],
                answers={"200": ref("Experiment")},
                errors=(401, 403, 404, 409, 412, 428),
            )
        },
    }
