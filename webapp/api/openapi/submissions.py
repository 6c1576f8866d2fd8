"""Submissions in the OpenAPI document."""

from __future__ import annotations

from webapp.api.openapi.operations import (
    CURSOR,
    FORM,
    ID,
    LIMIT,
    MODEL,
    Routes,
    answer,
    link,
    operation,
    request,
)
from webapp.api.openapi.schemas import (
    COUNT,
    FLAG,
    MOMENT,
    NUMBER,
    SHARE,
    TEXT,
    body_of,
    list_of,
    maybe,
    object_of,
    page_of,
    ref,
)
from webapp.services.registry import ModelDetail
from webapp.services.submissions import WISHES

TAG, ABOUT = "submissions", "Model files handed in, and what becomes of them."
STATES = ["waiting", "inspecting", "choosing", "published", "refused", "failed", "cancelled"]
ENGINE = {"enum": list(WISHES), "description": "Which engine is to answer; default: auto."}
SCHEMAS = {
    "Engine": object_of(
        {"name": TEXT, "offered": FLAG, "exact": FLAG, "reason": TEXT},
        {
            "bytes": COUNT,
            "one_us": NUMBER,
            "many_us_per_row": NUMBER,
            "rows": COUNT,
            "agree": SHARE,
            "largest": NUMBER,
            "score": NUMBER,
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
            "progress": SHARE,
            "version": maybe(TEXT),
            "live": maybe(FLAG),
            "page": {**maybe(TEXT), "description": "Address of the version it became."},
            "errors": list_of(object_of({"pointer": TEXT, "detail": TEXT})),
            "warnings": list_of(TEXT),
            "engine": ENGINE,
            "report": {
                "type": ["object", "null"],
                "description": "What was found in the files.",
                "properties": {"engines": list_of(ref("Engine"))},
            },
            "user": TEXT,
            "created_at": MOMENT,
            "finished_at": maybe(MOMENT),
        }
    ),
}
_CHOICE = body_of({"engine": {**TEXT, "description": "One that the report offers, or auto."}})
_FILE = {**TEXT, "format": "binary"}
_FORM = body_of(
    {
        "model": {**_FILE, "description": "The model: skops or ONNX."},
        "data": {**_FILE, "description": "Training sample with the target: CSV or Parquet."},
        "target": {**TEXT, "minLength": 1, "description": "The column that the model predicts."},
    },
    {
        "test": {**_FILE, "description": "Rows that the model has not seen, for the scores."},
        "title": TEXT,
        "description": TEXT,
        "schema": {**TEXT, "description": "A JSON object that corrects the inferred schema."},
        "card": {**TEXT, "description": "A JSON object with the texts of the card."},
        "promote": {"enum": ["true", "false"], "description": "Whether the version shall answer at once."},
        "engine": ENGINE,
    },
)
#: Files as curl names them, for no model fits into a document.
_EXAMPLE = {"model": "@model.skops", "data": "@train.csv", "target": "target"}


def routes(_shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    found = {
        word: link(word, id="$response.body#/id")
        for word in ("show_submission", "choose_engine", "cancel_submission")
    }
    of_first = {"show_submission": link("show_submission", id="$response.body#/data/0/id")}
    one = answer("The submission", ref("Submission"))
    return {
        "/models/{model}/versions": {
            "post": operation(
                "publish_version",
                "Publish a model file as the next version",
                parameters=[MODEL],
                body=request(_FORM, _EXAMPLE, media=FORM),
                answers={
                    "202": answer(
                        "Taken in", ref("Submission"), headers={"Location": "Location"}, links=found
                    )
                },
                errors=(403, 404),
            )
        },
        "/submissions": {
            "get": operation(
                "list_submissions",
                "Submissions, newest first",
                parameters=[LIMIT, CURSOR],
                answers={"200": answer("A page", page_of("Submission"), links=of_first)},
                errors=(422,),
            )
        },
        "/submissions/{id}": {
            "get": operation(
                "show_submission", "One submission", parameters=[ID], answers={"200": one}, errors=(404,)
            ),
            "delete": operation(
                "cancel_submission",
                "End a submission before it is a version",
                parameters=[ID],
                answers={"200": one},
                errors=(403, 404, 409),
            ),
        },
        "/submissions/{id}/engine": {
            "post": operation(
                "choose_engine",
                "Pick the engine that a submission is published with",
                parameters=[ID],
                body=request(_CHOICE, {"engine": "auto"}),
                answers={"202": one},
                errors=(403, 404, 409),
            )
        },
    }
