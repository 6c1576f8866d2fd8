"""Signing in and out."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from webapp import auth
from webapp.errors import NotSignedIn, TooMany
from webapp.web.languages import LANGUAGES

blueprint = Blueprint("login", __name__)


@blueprint.route("/login", methods=["GET", "POST"])
def sign_in() -> Response | str | tuple[str, int, dict[str, str]]:
    """The sign-in page; a good password leads on to `next`."""
    if request.args.get("language") in LANGUAGES:
        session["language"] = request.args["language"]
    if request.method != "POST":
        return render_template("login/sign_in.html", refused="", username="")
    username = request.form.get("username", "").strip()
    try:
        auth.sign_in(username, request.form.get("password", ""))
    except (NotSignedIn, TooMany) as error:
        page = render_template("login/sign_in.html", refused=error.detail, username=username)
        if isinstance(error, TooMany):
            return page, 429, {"Retry-After": str(error.retry_after)}
        return page, 401, {}
    return redirect(auth.safe_next(request.args.get("next")))


@blueprint.post("/logout")
def sign_out() -> Response:
    """End this browser's session."""
    auth.sign_out()
    return redirect(url_for("login.sign_in"))
