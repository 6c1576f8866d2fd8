"""Batches: send a file, follow it, take the result."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Response, request, url_for

from webapp.api import presenters
from webapp.api.blueprint import api
from webapp.api.paging import paged
from webapp.api.predictions import fingerprint
from webapp.api.strangers import strangers
from webapp.auth import actor
from webapp.doors import desk, expect_upload, idempotency_key, json_response, spooled
from webapp.errors import InvalidInput, Problem, UnsupportedMedia
from webapp.services import jobs
from webapp.services.jobs import Key, Upload
from webapp.wording import said

OPTIONS = ("subject", "delimiter", "encoding", "decimal")
FIELDS = ("model", "version", "on_error", *OPTIONS)


@api.route("/jobs", methods=["GET", "POST"])
def batches() -> Response:
    """Batches, newest first; with a file, one more of them."""
    return _create() if request.method == "POST" else paged(jobs.search, presenters.job)


def _create() -> Response:
    """Take a file in; it is checked and predicted without being asked again."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMedia(said("Send the file as multipart/form-data, under the name “file”."))
    expect_upload()
    made, replayed = jobs.add_once(desk(), actor(), _read())
    answer = json_response(presenters.job(made), 202)
    answer.headers["Location"] = url_for("api.show_job", job_id=made.id)
    if replayed:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


@api.get("/jobs/<job_id>")
def show_job(job_id: str) -> Response:
    """One batch: how far it is, and what was wrong with its file."""
    return json_response(presenters.job(jobs.get(actor(), job_id)))


@api.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> Response:
    """End a batch; what is on the record stays."""
    return json_response(presenters.job(jobs.cancel(desk(), actor(), job_id)))


@api.get("/jobs/<job_id>/result")
def show_result(job_id: str) -> Response:
    """What has been predicted so far, as CSV."""
    made = jobs.result(desk(), actor(), job_id)
    answer = Response(made.data, mimetype="text/csv")
    answer.content_length = made.size
    return answer


def _read() -> Upload:
    sent, form = spooled(), request.form
    problems = strangers(form, FIELDS)
    if sent is None:
        problems.append(Problem("#/file", said("send a file under this name")))
    if not form.get("model"):
        problems.append(Problem("#/model", said("is needed: the name of the model")))
    if form.get("on_error", "row") not in ("row", "all"):
        problems.append(Problem("#/on_error", said('must be "all" or "row"')))
    header = request.headers.get("Idempotency-Key")
    text = None
    if header is not None:
        try:
            text = idempotency_key(header)
        except InvalidInput as error:
            problems += error.problems
    if problems or sent is None:
        raise InvalidInput(problems)
    options = {word: form.get(word, "") for word in OPTIONS}
    key = None
    if text is not None:
        key = Key(text, fingerprint(request.path, form.to_dict(), sent[1], _hash(sent[0])))
    on_error = form.get("on_error", "row")
    return Upload(*sent, form["model"], form.get("version") or None, options, on_error, key=key)


def _hash(path: Path) -> str:
    """SHA-256 of a file, while others go on."""

    def read() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return str(desk().offload(read))
