"""Batches in the OpenAPI document."""

from __future__ import annotations

import csv
import io

from webapp.api.openapi.operations import (
    CURSOR,
    FORM,
    ID,
    LIMIT,
    Node,
    Routes,
    answer,
    link,
    operation,
    request,
)
from webapp.api.openapi.predictions import KEY
from webapp.api.openapi.schemas import (
    COUNT,
    MOMENT,
    NAME,
    NUMBER,
    TEXT,
    body_of,
    list_of,
    maybe,
    object_of,
    page_of,
    ref,
)
from webapp.services.registry import ModelDetail

TAG, ABOUT = "jobs", "Batches: a file of rows, predicted behind the scenes."
STATES = ["checking", "checked", "refused", "running", "done", "cancelled", "stopped", "failed"]
_PROBLEM = object_of({"row": COUNT, "line": COUNT, "column": TEXT, "detail": TEXT})
SCHEMAS = {
    "Job": object_of(
        {
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
            "rows_per_second": maybe(NUMBER),
            "seconds_left": maybe(NUMBER),
            "details": list_of(TEXT),
            "problems": object_of({"total": COUNT, "first": list_of(_PROBLEM)}),
            "user": TEXT,
            "created_at": MOMENT,
            "started_at": maybe(MOMENT),
            "finished_at": maybe(MOMENT),
        }
    )
}
_FORM = body_of(
    {"file": {**TEXT, "format": "binary", "description": "CSV or Parquet."}, "model": NAME},
    {
        "version": TEXT,
        "subject": {**TEXT, "description": "The column that holds each record's subject."},
        "on_error": {"enum": ["row", "all"], "description": "Whether a bad row refuses the whole file."},
        "delimiter": {"enum": [",", ";", "\t", "|"]},
        "decimal": {"enum": [".", ","]},
        "encoding": {"enum": ["utf-8", "cp1252", "utf-16"]},
    },
)


def routes(shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    found = {word: link(word, id="$response.body#/id") for word in ("show_job", "show_result", "cancel_job")}
    of_first = {"show_job": link("show_job", id="$response.body#/data/0/id")}
    one = answer("The batch", ref("Job"))
    return {
        "/jobs": {
            "post": operation(
                "create_job",
                "Predict a file",
                body=request(_FORM, shown and _example(shown), media=FORM),
                answers={
                    "202": answer("Taken in", ref("Job"), headers={"Location": "Location"}, links=found)
                },
                parameters=[KEY],
                errors=(403, 404, 409),
            ),
            "get": operation(
                "list_jobs",
                "Batches, newest first",
                parameters=[LIMIT, CURSOR],
                answers={"200": answer("A page", page_of("Job"), links=of_first)},
                errors=(422,),
            ),
        },
        "/jobs/{id}": {
            "get": operation("show_job", "One batch", parameters=[ID], answers={"200": one}, errors=(404,))
        },
        "/jobs/{id}/cancel": {
            "post": operation(
                "cancel_job", "End a batch", parameters=[ID], answers={"200": one}, errors=(403, 404, 409)
            )
        },
        "/jobs/{id}/result": {
            "get": operation(
                "show_result",
                "What has been predicted so far",
                parameters=[ID],
                answers={"200": answer("A line for each row", TEXT, media="text/csv")},
                errors=(404, 409),
            )
        },
    }


def _example(shown: ModelDetail) -> Node:
    row, file = shown.schema.example(), io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([row.keys(), ["" if value is None else value for value in row.values()]])
    return {"file": file.getvalue(), "model": shown.name}
