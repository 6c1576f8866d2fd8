"""Submissions: a model file sent, inspected and published, step by step."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from webapp.auth import actor
from webapp.doors import desk, spooled_parts, tell
from webapp.errors import AppError, Conflict
from webapp.services import submissions
from webapp.services.submissions import FILES, SubmissionView, Upload

ROWS = 50
CARD = ("intended_use", "not_intended_use", "training_data", "caveats")

blueprint = Blueprint("submissions", __name__)


@blueprint.get("/submissions")
def index() -> str:
    """Submissions, newest first: one's own, or all for who sees all."""
    found = submissions.search(actor(), limit=ROWS + 1, before=request.args.get("before", ""))
    return render_template("submissions/index.html", submissions=found[:ROWS], more=len(found) > ROWS)


@blueprint.route("/models/new", methods=["GET", "POST"])
def new() -> Answer | str | tuple[str, int, dict[str, str]]:
    """The form that sends a model file, as a version of the model in `?model=`."""
    return ""


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
    return redirect(url_for("submissions.show", submission_id=submission_id))


def _page(template: str, found: SubmissionView, refused: str = "") -> str:
    waits = found.open and not found.held and not submissions.worked_on(desk())
    return render_template(template, submission=found, refused=refused, no_worker=waits)
