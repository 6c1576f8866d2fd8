"""The record, read back, in the OpenAPI document."""

from __future__ import annotations

from webapp.api.openapi.operations import (
    CURSOR,
    ID,
    LIMIT,
    Node,
    Routes,
    answer,
    in_query,
    link,
    operation,
    request,
)
from webapp.api.openapi.predictions import ANSWER, RANKING, THRESHOLD
from webapp.api.openapi.releases import TIME
from webapp.api.openapi.schemas import (
    COUNT,
    MOMENT,
    TEXT,
    Schema,
    body_of,
    list_of,
    maybe,
    object_of,
    page_of,
    ref,
)
from webapp.services.filters import LONGEST, WORDS
from webapp.services.registry import ModelDetail

TAG, ABOUT = "records", "Answers that were given, and what turned out to be true."
_PLAIN: Schema = {**TEXT, "maxLength": LONGEST}
_SHARE: Schema = {
    **TEXT,
    "pattern": "^(|0{0,19}[01]|0{0,3}[.,][0-9]{1,17}|0{0,2}1[.,]0{1,17})$",
    "description": "From 0 to 1.",
}
_TIME: Schema = {**TIME, "pattern": f"^$|{TIME['pattern']}"}
#: Forms send what was left empty, too.
_FILTERS: dict[str, Schema] = {
    "version": {**TEXT, "pattern": "^[0-9]{0,8}$"},
    "from": _TIME,
    "to": _TIME,
    "warned": {"enum": ["", "yes", "no"]},
    "state": {"enum": ["", "active", "restricted", "erased"]},
    "reviewed": {"enum": ["", "yes", "no", "confirmed", "overridden"]},
    "outcome": {"enum": ["", "yes", "no", "agrees", "differs"]},
    "score_from": _SHARE,
    "score_to": _SHARE,
}
_OUTCOME: dict[str, Schema] = {
    "actual": {"type": ["string", "number"]},
    "verdict": {"enum": ["agrees", "differs", "known"]},
    "source": TEXT,
    "user": TEXT,
    "event": TEXT,
    "created_at": MOMENT,
}
_RANK = {"rank": {**maybe(COUNT), "description": "Of a ranking alone: the place of what was true."}}
_REVIEW = object_of(
    {"action": TEXT, "decision": {}, "reason": TEXT, "user": TEXT, "event": TEXT, "created_at": MOMENT}
)
_RECORD: dict[str, Schema] = {
    **ANSWER,
    "prediction": {},
    "unit": maybe(TEXT),
    "inputs": {"type": ["object", "null"]},
    "used": {"type": ["object", "null"]},
    "defaulted": {},
    "subject": maybe(TEXT),
    "user": TEXT,
    "role": TEXT,
    "channel": TEXT,
    "engine": TEXT,
    "request_id": TEXT,
    "artifact_sha256": TEXT,
    "schema_hash": TEXT,
    "state": {"enum": ["active", "restricted", "erased"]},
    "review": maybe(TEXT),
    "outcome": maybe(TEXT),
    "experiment": maybe(TEXT),
    "finished_at": MOMENT,
}
_RARE = {"ranking": RANKING, "threshold": THRESHOLD, "erasure": object_of({"at": MOMENT, "basis": TEXT})}
SCHEMAS: dict[str, Schema] = {
    "Record": object_of(_RECORD, _RARE),
    "RecordInFull": object_of(
        {**_RECORD, "reviews": list_of(_REVIEW), "outcomes": list_of(object_of(_OUTCOME, _RANK))}, _RARE
    ),
    "Outcome": object_of({"id": TEXT, **_OUTCOME}, _RANK),
    "Lineage": object_of(
        {
            "id": TEXT,
            "model": TEXT,
            "version": TEXT,
            "artifact_sha256": TEXT,
            "schema_hash": TEXT,
            "manifest_sha256": TEXT,
            "source_sha256": maybe(TEXT),
            "data_sha256": maybe(TEXT),
            "test_sha256": maybe(TEXT),
            "training_code": TEXT,
            "software": {"type": "object", "additionalProperties": TEXT},
            "published_by": maybe(TEXT),
            "published_at": MOMENT,
            "release": {
                "oneOf": [ref("Release"), {"type": "null"}],
                "description": "By which it answered; null where a version was named, or two were compared.",
            },
        }
    ),
}
_ACTUAL = body_of(
    {
        "actual": {
            "type": ["string", "number", "boolean"],
            "description": "A class of the version, by value or label; for a regression a finite number.",
        }
    }
)
_WORDS = ("show_prediction", "show_lineage", "prove_prediction")


def routes(_shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    of_first = {word: link(word, id="$response.body#/data/0/id") for word in _WORDS}
    page = answer("A page", page_of("Record"), links=of_first)
    return {
        "/predictions": {
            "get": operation(
                "list_predictions",
                "The record, newest first",
                parameters=[LIMIT, *_paging()],
                answers={"200": page},
                errors=(422,),
            )
        },
        "/predictions/{id}": {
            "get": operation(
                "show_prediction",
                "One record",
                parameters=[ID],
                answers={"200": answer("The record", ref("RecordInFull"))},
                errors=(404,),
            )
        },
        "/predictions/{id}/lineage": {
            "get": operation(
                "show_lineage",
                "Where an answer comes from",
                parameters=[ID],
                answers={"200": answer("Files, data and code of its version", ref("Lineage"))},
                errors=(404,),
            )
        },
        "/predictions/{id}/outcome": {
            "post": operation(
                "report_outcome",
                "Report what turned out to be true",
                body=request(_ACTUAL, {"actual": "setosa"}),
                parameters=[ID],
                answers={"201": answer("Kept", ref("Outcome"), headers={"Location": "Location"})},
                errors=(403, 404, 409),
            )
        },
    }


def _paging() -> list[Node | str]:
    offset = in_query("offset", {"type": "integer", "minimum": 0, "maximum": 1_000_000})
    return [offset, CURSOR, *(in_query(word, _FILTERS.get(word, _PLAIN)) for word in WORDS)]
