"""Batches: send a file, follow it, take the result."""

from __future__ import annotations

from flask import Response, request, url_for

from webapp.api import presenters
from webapp.api.blueprint import api
from webapp.api.paging import paged
from webapp.api.strangers import strangers
from webapp.auth import actor
from webapp.doors import desk, expect_upload, json_response, spooled
from webapp.errors import InvalidInput, Problem, UnsupportedMedia
from webapp.services import jobs
from webapp.services.jobs import Upload
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
    made = jobs.add(desk(), actor(), _read())
    answer = json_response(presenters.job(made), 202)
    answer.headers["Location"] = url_for("api.show_job", job_id=made.id)
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
    if problems or sent is None:
        raise InvalidInput(problems)
    options = {word: form.get(word, "") for word in OPTIONS}
    return Upload(*sent, form["model"], form.get("version") or None, options, form.get("on_error", "row"))
