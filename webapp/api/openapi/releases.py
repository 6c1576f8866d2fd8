"""Releases in the OpenAPI document."""

from __future__ import annotations

from webapp.api.openapi.operations import (
    IF_MATCH,
    MODEL,
    Node,
    Routes,
    answer,
    in_path,
    in_query,
    link,
    operation,
    request,
)
from webapp.api.openapi.schemas import FLAG, MOMENT, NAME, TEXT, body_of, list_of, maybe, object_of, ref
from webapp.services.registry import ModelDetail

TAG, ABOUT = "releases", "Which version answers, who decided so, and when."
TIME = {
    **TEXT,
    "pattern": "^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
}
#: What a change decided upon an ETag can end in.
CHANGE = (403, 404, 409, 412, 422, 428)
FROM_PATH = {"model": "$request.path.model"}
_REQUEST = object_of({"id": TEXT, "version": TEXT, "reason": TEXT, "user": TEXT, "created_at": MOMENT})
_STANDING = {
    "model": TEXT,
    "live": maybe(TEXT),
    "aliases": {"type": "object", "additionalProperties": TEXT, "description": "Alias: version."},
    "two_people": {**FLAG, "description": "Whether a second person approves promotions."},
    "request": {"oneOf": [_REQUEST, {"type": "null"}], "description": "A promotion that waits for approval."},
}
SCHEMAS = {
    "Release": object_of(
        {
            "version": TEXT,
            "kind": {"enum": ["publish", "promote", "rollback"]},
            "from": MOMENT,
            "to": {**maybe(MOMENT), "description": "When the next began; null: it answers still."},
            "instead_of": maybe(TEXT),
            "reason": TEXT,
            "user": {**maybe(TEXT), "description": "Who decided; null: the operator."},
            "asked_by": maybe(TEXT),
            "artifact_sha256": TEXT,
            "event": TEXT,
        }
    ),
    "Released": object_of(
        {
            "model": TEXT,
            "alias": TEXT,
            "version": TEXT,
            "request": {
                **maybe(TEXT),
                "description": "The request that waits for a second person; null: done.",
            },
            "event": TEXT,
        }
    ),
    "Standing": object_of(_STANDING),
    "Releases": object_of({**_STANDING, "data": list_of(ref("Release"))}),
}
_REASON = {"reason": {**TEXT, "maxLength": 2000}}
_TAGGED = {"ETag": "ETag"}


def routes(shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    return {**_looking(), **_changing(shown), **_deciding()}


def _looking() -> Routes:
    at = in_query("at", TIME, description="A time; now, if left out.")
    upon = {**FROM_PATH, "header.If-Match": "$response.header.ETag"}
    chosen = {word: link(word, **upon) for word in ("promote", "roll_back", "start_experiment")}
    return {
        "/models/{model}/releases": {
            "get": operation(
                "list_releases",
                "What answers, and what was live when",
                parameters=[MODEL],
                answers={"200": answer("The releases", ref("Releases"), headers=_TAGGED, links=chosen)},
                errors=(404,),
            )
        },
        "/models/{model}/live": {
            "get": operation(
                "show_live",
                "The version that answered at a time",
                parameters=[MODEL, at],
                answers={"200": answer("The release", ref("Release"))},
                errors=(404, 422),
            )
        },
    }


def _changing(shown: ModelDetail | None) -> Routes:
    proved = {"prove_event": link("prove_event", id="$response.body#/event")}
    done = answer("Done", ref("Released"), headers=_TAGGED, links=proved)
    waiting = {"decide": link("decide", **FROM_PATH, request="$response.body#/request")}
    asked = answer("Waits for a second person", ref("Released"), headers=_TAGGED, links=waiting)
    alias = in_path("alias", NAME, **({"example": "candidate"} if shown else {}))
    other = {"version": "2"}
    return {
        "/models/{model}/promote": {
            "post": operation(
                "promote",
                "Make a version live",
                body=request(
                    body_of({"version": TEXT, **_REASON}),
                    shown and other | {"reason": "Better on last month's cases"},
                ),
                parameters=[MODEL, IF_MATCH],
                answers={"200": done, "202": asked},
                errors=CHANGE,
            )
        },
        "/models/{model}/rollback": {
            "post": operation(
                "roll_back",
                "Make an earlier live version live again",
                body=request(
                    body_of({}, {"version": TEXT, **_REASON}),
                    shown and {"reason": "Too many wrong answers since this morning"},
                    required=False,
                ),
                parameters=[MODEL, IF_MATCH],
                answers={"200": done},
                errors=CHANGE,
            )
        },
        "/models/{model}/aliases/{alias}": {
            "put": operation(
                "set_alias",
                "Let an alias lead to a version",
                body=request(body_of({"version": TEXT}), shown and other),
                parameters=[MODEL, alias, IF_MATCH],
                answers={"200": done},
                errors=CHANGE,
            ),
            "delete": operation(
                "drop_alias",
                "Take an alias away",
                parameters=[MODEL, alias, IF_MATCH],
                answers={"204": answer("Taken away", headers=_TAGGED)},
                errors=CHANGE,
            ),
        },
    }


def _deciding() -> Routes:
    either: Node = {"oneOf": [ref("Released"), ref("Standing")]}
    return {
        "/models/{model}/requests/{request}/{decision}": {
            "post": operation(
                "decide",
                "Approve, refuse or withdraw a promotion",
                body=request(body_of({}, _REASON), {"reason": "Seen, and agreed"}, required=False),
                parameters=[
                    MODEL,
                    in_path("request", {**TEXT, "maxLength": 49}),
                    in_path("decision", {"enum": ["approve", "refuse", "withdraw"]}, example="approve"),
                    IF_MATCH,
                ],
                answers={"200": answer("Decided", either, headers=_TAGGED)},
                errors=CHANGE,
            )
        }
    }
