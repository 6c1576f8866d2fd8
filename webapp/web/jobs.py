"""Batches: a file sent, looked through, confirmed, predicted and taken away."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as Answer

from webapp.auth import actor
from webapp.doors import desk, spooled, tell
from webapp.errors import AppError, Conflict, InvalidInput, NotFound, Problem
from webapp.services import jobs, registry
from webapp.services.jobs import JobView, Upload
from webapp.web.refusals import shown_again
from webapp.wording import said

ROWS = 50
OPTIONS = ("subject", "delimiter", "encoding", "decimal")

blueprint = Blueprint("jobs", __name__)


@blueprint.get("/jobs")
def index() -> str:
    """Batches, newest first: one's own, or all for who sees all."""
    key, cursor = current_app.config["SECRET_KEY"], request.args.get("cursor")
    page = jobs.search(actor(), limit=ROWS, key=key, cursor=cursor)
    return render_template("jobs/index.html", jobs=page.rows, older=page.older)


@blueprint.route("/jobs/new", methods=["GET", "POST"])
def new() -> Answer | str | tuple[str, int, dict[str, str]]:
    """The form that sends a file, for the model in `?model=`."""
    if request.method != "POST":
        return _form({})
    try:
        sent = spooled()
        if sent is None:
            raise InvalidInput([Problem("#/file", said("choose a file"))])
        options = {word: request.form.get(word, "").strip() for word in OPTIONS}
        asked = Upload(*sent, request.form.get("model", ""), request.form.get("version") or None, options)
        return redirect(url_for("jobs.show", job_id=jobs.add(desk(), actor(), asked).id))
    except AppError as error:
        return shown_again(error, _form)


@blueprint.get("/jobs/<job_id>")
def show(job_id: str) -> str:
    """One batch: what was found in its file, how far it is, its result."""
    return _page("jobs/show.html", jobs.get(actor(), job_id))


@blueprint.get("/jobs/<job_id>/state")
def state(job_id: str) -> str:
    """The part of its page that changes while it is worked on."""
    return _page("jobs/_state.html", jobs.get(actor(), job_id))


@blueprint.get("/jobs/<job_id>/result.csv")
def result(job_id: str) -> Response:
    """What has been predicted so far."""
    return _file(jobs.result(desk(), actor(), job_id), f"{job_id}.csv")


@blueprint.get("/jobs/<job_id>/problems.csv")
def problems(job_id: str) -> Response:
    """Every problem found in the file."""
    return _file(jobs.problems(desk(), actor(), job_id), f"{job_id}-problems.csv")


@blueprint.route("/jobs/<job_id>/<act>", methods=["GET", "POST"])
def act(job_id: str, act: str) -> Answer | tuple[str, int]:
    """Confirm, cancel or delete a batch, or have its file read in another way; only looked at, this is its page."""
    if request.method == "POST":
        try:
            _do(job_id, act)
        except (Conflict, InvalidInput) as error:
            return _page("jobs/show.html", jobs.get(actor(), job_id), error.detail), tell(error).status.code
    return redirect(url_for("jobs.show", job_id=job_id))


def _do(job_id: str, act: str) -> None:
    if act == "confirm":
        jobs.confirm(desk(), actor(), job_id)
    elif act == "cancel":
        jobs.cancel(desk(), actor(), job_id)
    elif act == "read":
        jobs.read_again(desk(), actor(), job_id, {w: request.form.get(w, "").strip() for w in OPTIONS})
    elif act == "delete":
        jobs.remove(desk(), actor(), job_id)
        flash(gettext("The file and its result are deleted; the records stay in the history."))
    else:
        raise NotFound(said("There is nothing at this address."))


def _form(problems: dict[str, str], failed: str = "") -> str:
    return render_template(
        "jobs/new.html",
        models=registry.list_models(actor()),
        typed=request.form if request.method == "POST" else request.args,
        problems=problems,
        failed=failed,
        most=desk().workshop.max_bytes,
    )


def _page(template: str, job: JobView, refused: str = "") -> str:
    waits = job.active and not job.held and not jobs.worked_on(desk())
    return render_template(template, job=job, refused=refused, no_worker=waits)


def _file(made: jobs.Result, name: str) -> Response:
    answer = Response(made.data, mimetype="text/csv")
    answer.content_length = made.size
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
