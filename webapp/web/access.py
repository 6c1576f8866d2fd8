"""Who may use which model."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from webapp.auth import PREDICTORS, actor
from webapp.services import model_access, releases, users

blueprint = Blueprint("access", __name__, url_prefix="/admin/models")


@blueprint.get("")
def index() -> str:
    """Every model, and who may use it."""
    return render_template("access/index.html", models=model_access.list_all(actor()))


@blueprint.route("/<name>", methods=["GET", "POST"])
def model(name: str) -> Response | str:
    """Open one model to every predictor, or to chosen people."""
    access = model_access.get(name, actor())
    if request.method == "POST":
        restricted = request.form.get("open_to") == "chosen"
        chosen = request.form.getlist("person")
        model_access.change(name, restricted=restricted, people=chosen, actor=actor())
        releases.require_two(actor(), name, "two_people" in request.form)
        flash(gettext("Who may use %(model)s is set.", model=access.title))
        return redirect(url_for("access.index"))
    everybody = users.list_all(actor())
    choices = [p for p in everybody if p.role in PREDICTORS - {"admin"} or p.username in access.people]
    two_people = releases.standing(name, actor=actor()).two_people
    return render_template("access/model.html", access=access, choices=choices, two_people=two_people)
