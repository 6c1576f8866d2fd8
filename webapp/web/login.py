"""Signing in and out, and the link that sets a password."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from webapp import auth
from webapp.errors import CodeNeeded, InvalidInput, NotFound, NotSignedIn, Problem, TooMany
from webapp.services import reset_links
from webapp.web import carrying
from webapp.web.languages import LANGUAGES
from webapp.wording import said

blueprint = Blueprint("login", __name__)
AGAIN = said("is not the same as the new password; type both again")


@blueprint.route("/login", methods=["GET", "POST"])
def sign_in() -> Response | str | tuple[str, int, dict[str, str]]:
    """The sign-in page; a good password leads on to `next`, or to the second step where there is one."""
    _choose_language()
    if request.method != "POST":
        return render_template("login/sign_in.html", refused="", username="")
    username = request.form.get("username", "").strip()
    try:
        auth.sign_in(username, request.form.get("password", ""))
    except CodeNeeded:
        if carrying.carried():
            return render_template("login/code.html", refused="")
        return redirect(url_for("login.code", next=request.args.get("next")))
    except (NotSignedIn, TooMany) as error:
        page = render_template("login/sign_in.html", refused=error.detail, username=username)
        return _refused(page, error)
    return carrying.onward() or redirect(auth.safe_next(request.args.get("next")))


@blueprint.route("/login/code", methods=["GET", "POST"])
def code() -> Response | str | tuple[str, int, dict[str, str]]:
    """The second step, for a few minutes after the first: a code of the app, or a recovery code."""
    _choose_language()
    if not auth.password_shown():
        if carrying.carried():
            return render_template("login/sign_in.html", refused="", username="")
        return redirect(url_for("login.sign_in", next=request.args.get("next")))
    if request.method != "POST":
        return render_template("login/code.html", refused="")
    try:
        auth.sign_in_further(request.form.get("code", ""))
    except (CodeNeeded, TooMany) as error:
        return _refused(render_template("login/code.html", refused=error.detail), error)
    except NotSignedIn:
        return redirect(url_for("login.sign_in", next=request.args.get("next")))
    return carrying.onward() or redirect(auth.safe_next(request.args.get("next")))


@blueprint.route("/reset/<token>", methods=["GET", "POST"])
def reset(token: str) -> Response | str | tuple[str, int]:
    """A new password for the account that a link was made for."""
    _choose_language()
    try:
        username, problems = reset_links.account_behind(token), {}
        if request.method == "POST":
            if request.form.get("password") != request.form.get("again"):
                raise InvalidInput([Problem("#/again", AGAIN)])
            reset_links.use(token, request.form.get("password", ""))
            flash(gettext("The password is set. Sign in with it."))
            return redirect(url_for("login.sign_in"))
    except NotFound as error:
        return render_template("login/reset.html", username="", refused=error.detail), 404
    except InvalidInput as error:
        problems = {p.pointer.removeprefix("#/"): p.detail for p in error.problems}
    page = render_template("login/reset.html", username=username, problems=problems)
    return (page, 422) if problems else page


@blueprint.post("/logout")
def sign_out() -> Response:
    """End this browser's session."""
    auth.sign_out()
    return redirect(url_for("login.sign_in"))


def _choose_language() -> None:
    if request.args.get("language") in LANGUAGES:
        session["language"] = request.args["language"]


def _refused(page: str, error: NotSignedIn | TooMany) -> tuple[str, int, dict[str, str]]:
    if isinstance(error, TooMany):
        return page, 429, {"Retry-After": str(error.retry_after)}
    return page, 401, {}
