"""Submissions: send a model file with its samples, and follow what becomes of it."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request, url_for

from webapp.api import presenters
from webapp.api.blueprint import api
from webapp.api.paging import paged
from webapp.api.releases import MOST_BYTES, MOST_NAMED
from webapp.api.strangers import strangers
from webapp.auth import actor
from webapp.doors import desk, expect_upload, json_body, json_response, spooled_parts
from webapp.errors import InvalidInput, Problem, UnsupportedMedia
from webapp.services import submissions
from webapp.services.submissions import FILES, Upload
from webapp.wording import said

FIELDS = ("target", "title", "description", "schema", "card", "promote", "engine")


@api.post("/models/<name>/versions", provide_automatic_options=False)  # of which the list of versions tells
def publish_version(name: str) -> Response:
    """Take a model file in; it is inspected, and becomes the next version unless something is wrong with it."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMedia(
            said("Send the files as multipart/form-data, under the names {names}.", names=", ".join(FILES))
        )
    expect_upload(len(FILES))
    made = submissions.add(desk(), actor(), _read(name))
    answer = json_response(presenters.submission(made), 202)
    answer.headers["Location"] = url_for("api.show_submission", submission_id=made.id)
    return answer


@api.get("/submissions")
def list_submissions() -> Response:
    """Submissions, newest first."""
    return paged(submissions.search, presenters.submission)


@api.get("/submissions/<submission_id>")
def show_submission(submission_id: str) -> Response:
    """One submission: how far it is, and what was found."""
    return json_response(presenters.submission(submissions.get(actor(), submission_id)))


@api.post("/submissions/<submission_id>/engine")
def choose_engine(submission_id: str) -> Response:
    """Pick the engine that a submission is published with, of those that its report offers."""
    body = json_body(MOST_BYTES)
    problems = strangers(body, ("engine",), MOST_NAMED)
    if not isinstance(body.get("engine"), str):
        problems.append(
            Problem("#/engine", said("is needed: the name of an engine that is offered, or auto"))
        )
    if problems:
        raise InvalidInput(problems)
    made = submissions.choose(desk(), actor(), submission_id, body["engine"])
    return json_response(presenters.submission(made), 202)


@api.delete("/submissions/<submission_id>")
def cancel_submission(submission_id: str) -> Response:
    """End a submission before it is a version."""
    return json_response(presenters.submission(submissions.cancel(desk(), actor(), submission_id)))


def _read(name: str) -> Upload:
    files, form = spooled_parts(FILES), request.form
    problems = strangers(form, FIELDS) + strangers(request.files, FILES)
    if form.get("promote", "false") not in ("true", "false"):
        problems.append(Problem("#/promote", said('must be "true" or "false"')))
    schema, card = (_object(word, problems) for word in ("schema", "card"))
    if problems:
        raise InvalidInput(problems)
    return Upload(
        name,
        files,
        form.get("target", ""),
        form.get("title", ""),
        form.get("description", ""),
        schema,
        card,
        promote=form.get("promote") == "true",
        engine=form.get("engine", "auto"),
    )


def _object(word: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        found = orjson.loads(request.form.get(word) or "{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        problems.append(Problem(f"#/{word}", said("must be a JSON object")))
        return {}
    return found
