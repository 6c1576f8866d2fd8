"""Releases in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.api.schemas import MOMENT, TEXT, object_of

MAYBE: dict[str, Any] = {"type": ["string", "null"]}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "schema": {**TEXT, "pattern": '^("[0-9]{1,10}"|[*])$'},
    "description": "The ETag of the releases that the decision was made upon, or *.",
}
TIME = {
    **TEXT,
    "pattern": "^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
}
ERRORS = (401, 403, 404, 409, 412, 415, 422, 428, 503)
_REQUEST = object_of({"id": TEXT, "version": TEXT, "reason": TEXT, "user": TEXT, "created_at": MOMENT})
_STANDING = {
    "model": TEXT,
    "live": MAYBE,
    "aliases": {"type": "object", "additionalProperties": TEXT, "description": "Alias: version."},
    "two_people": {"type": "boolean", "description": "Whether a second person approves promotions."},
    "request": {"oneOf": [_REQUEST, {"type": "null"}], "description": "A promotion that waits for approval."},
}
SCHEMAS = {
    "Release": object_of(
        {
            "version": TEXT,
            "kind": {"enum": ["publish", "promote", "rollback"]},
            "from": MOMENT,
            "to": {"type": ["string", "null"], "description": "When the next began; null: it answers still."},
            "instead_of": MAYBE,
            "reason": TEXT,
            "user": {**MAYBE, "description": "Who decided; null: the operator."},
            "asked_by": MAYBE,
            "artifact_sha256": TEXT,
            "event": TEXT,
        }
    ),
    "Released": object_of(
        {
            "model": TEXT,
            "alias": TEXT,
            "version": TEXT,
            "request": {**MAYBE, "description": "The request that waits for a second person; null: done."},
            "event": TEXT,
        }
    ),
    "Standing": object_of(_STANDING),
    "Releases": object_of(
        {**_STANDING, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Release"}}}
    ),
}


def _of(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {**TEXT, "maxLength": 63}}


def _body(required: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    schema = {**object_of(required, optional), "additionalProperties": False}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def routes(
    operation: Callable[..., dict[str, Any]], ref: Callable[[str], dict[str, Any]], model: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Path → method → operation, put together with the document's own helpers."""
    at = {"name": "at", "in": "query", "schema": TIME, "description": "A time; now, if left out."}
    version, reason = {"version": TEXT}, {"reason": TEXT}
    changed = {"answers": {"200": ref("Released")}, "errors": ERRORS}
    decision = {**_of("decision"), "schema": {"enum": ["approve", "refuse", "withdraw"]}}
    return {
        "/models/{model}/releases": {
            "get": operation(
                "list_releases",
                "What answers, and what was live when",
                parameters=[model],
                answers={"200": ref("Releases")},
                errors=(401, 404),
            )
        },
        "/models/{model}/live": {
            "get": operation(
                "show_live",
                "The version that answered at a time",
                parameters=[model, at],
                answers={"200": ref("Release")},
                errors=(401, 404, 422),
            )
        },
        "/models/{model}/promote": {
            "post": operation(
                "promote",
                "Make a version live",
                body=_body(version | reason, {}),
                parameters=[model, IF_MATCH],
                answers={"200": ref("Released"), "202": ref("Released")},
                errors=ERRORS,
            )
        },
        "/models/{model}/rollback": {
            "post": operation(
                "roll_back",
                "Make an earlier live version live again",
                body=_body({}, version | reason),
                parameters=[model, IF_MATCH],
                **changed,
            )
        },
        "/models/{model}/aliases/{alias}": {
            "put": operation(
                "set_alias",
                "Let an alias lead to a version",
                body=_body(version, {}),
                parameters=[model, _of("alias"), IF_MATCH],
                **changed,
            ),
            "delete": operation(
                "drop_alias",
                "Take an alias away",
                parameters=[model, _of("alias"), IF_MATCH],
                answers={"204": None},
                errors=(401, 403, 404, 412, 422, 428),
            ),
        },
        "/models/{model}/requests/{request}/{decision}": {
            "post": operation(
                "decide",
                "Approve, refuse or withdraw a promotion",
                body=_body({}, reason),
                parameters=[model, {**_of("request")}, decision, IF_MATCH],
                answers={"200": {"oneOf": [ref("Released"), ref("Standing")]}},
                errors=ERRORS,
            )
        },
    }
