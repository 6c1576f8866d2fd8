"""One's own account."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp import auth
from webapp.errors import InvalidInput, Problem, TooMany

blueprint = Blueprint("account", __name__)


@blueprint.route("/account", methods=["GET", "POST"])
def index() -> Response | str | tuple[str, int]:
    """Who is signed in, and the form that changes the password."""
    if request.method != "POST":
        return render_template("account/index.html", problems={})
    try:
        if request.form.get("password") != request.form.get("again"):
            raise InvalidInput([Problem("#/again", "is not the same as the new password; type both again")])
        auth.change_password(request.form.get("current", ""), request.form.get("password", ""))
    except (InvalidInput, TooMany) as error:
        found = error.problems if isinstance(error, InvalidInput) else [Problem("#/current", error.detail)]
        problems = {p.pointer.removeprefix("#/"): p.detail for p in found}
        return render_template("account/index.html", problems=problems), 422
    flash("Your password is changed. Every other browser and program of yours is signed out.")
    return redirect(url_for("home.dashboard"))
