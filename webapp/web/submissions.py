"""Submissions: a model file sent, inspected and published, step by step."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from webapp.auth import actor
from webapp.doors import desk, spooled_parts, tell
from webapp.errors import AppError, Conflict, InvalidInput, NotFound, Problem
from webapp.services import registry, submissions
from webapp.services.submissions import FILES, SubmissionView, Upload
from webapp.web.refusals import shown_again
from webapp.wording import said

ROWS = 50
CARD = (
    "intended_use",
    "not_intended_use",
    "training_data",
    "training_code",
    "caveats",
    "bias_and_ethics",
    "contact",
)

blueprint = Blueprint("submissions", __name__)


@blueprint.get("/submissions")
def index() -> str:
    """Submissions, newest first: one's own, or all for who sees all."""
    key, cursor = current_app.config["SECRET_KEY"], request.args.get("cursor")
    page = submissions.search(actor(), limit=ROWS, key=key, cursor=cursor)
    return render_template("submissions/index.html", submissions=page.rows, older=page.older)


@blueprint.route("/models/new", methods=["GET", "POST"])
def new() -> Answer | str | tuple[str, int, dict[str, str]]:
    """The form that sends a model file, as a version of the model in `?model=`."""
    if request.method != "POST":
        return _form({})
    try:
        made = submissions.add(desk(), actor(), _read())
        return redirect(url_for("submissions.show", submission_id=made.id))
    except AppError as error:
        return shown_again(error, _form)


@blueprint.get("/submissions/<submission_id>")
def show(submission_id: str) -> str:
    """One submission: how far it is, and what was found."""
    return _page("submissions/show.html", submissions.get(actor(), submission_id))


@blueprint.get("/submissions/<submission_id>/state")
def state(submission_id: str) -> str:
    """The part of its page that changes while it is worked on."""
    return _page("submissions/_state.html", submissions.get(actor(), submission_id))


@blueprint.route("/submissions/<submission_id>/cancel", methods=["GET", "POST"])
def cancel(submission_id: str) -> Answer | tuple[str, int]:
    """End a submission; only looked at, this is its page."""
    if request.method == "POST":
        try:
            submissions.cancel(desk(), actor(), submission_id)
        except Conflict as error:
            found = submissions.get(actor(), submission_id)
            return _page("submissions/show.html", found, error.detail), tell(error).status.code
    return redirect(url_for("submissions.show", submission_id=submission_id))


@blueprint.route("/submissions/<submission_id>/engine", methods=["GET", "POST"])
def choose(submission_id: str) -> Answer | tuple[str, int]:
    """Publish a submission with the engine that was picked; only looked at, this is its page."""
    if request.method == "POST":
        try:
            submissions.choose(desk(), actor(), submission_id, request.form.get("engine", ""))
        except (Conflict, InvalidInput) as error:
            found = submissions.get(actor(), submission_id)
            return _page("submissions/show.html", found, error.detail), tell(error).status.code
    return redirect(url_for("submissions.show", submission_id=submission_id))


def _read() -> Upload:
    files = spooled_parts(FILES)
    form = {word: text.strip() for word, text in request.form.items()}
    return Upload(
        form.get("name", ""),
        files,
        form.get("target", ""),
        form.get("title", ""),
        form.get("description", ""),
        _schema(form.get("schema", "")),
        {word: form[word] for word in CARD if form.get(word)},
        promote="promote" in form,
        engine=form.get("engine", "auto"),
    )


def _schema(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidInput([Problem("#/schema", said("must be a JSON object"))])
    return found


def _form(problems: dict[str, str], failed: str = "") -> str:
    typed = dict(request.form) if request.method == "POST" else _as_before(request.args.get("model", ""))
    return render_template("submissions/new.html", typed=typed, problems=problems, failed=failed)


def _page(template: str, found: SubmissionView, refused: str = "") -> str:
    waits = found.open and not found.held and not submissions.worked_on(desk())
    return render_template(template, submission=found, refused=refused, no_worker=waits)


def _as_before(name: str) -> dict[str, Any]:
    """What the form begins with for another version of a model: the target and the card of the one that answers."""
    try:
        before = registry.describe_sound(desk().store, name, actor=actor())
    except NotFound:
        before = None
    if before is None:
        return {"name": name}
    card = before.manifest.get("card") or {}
    return {word: card.get(word, "") for word in CARD} | {
        "name": name,
        "target": before.schema.output.target,
    }
