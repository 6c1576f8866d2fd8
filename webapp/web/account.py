"""One's own account: password, language and theme, second factor, sign-ins and tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import segno
from flask import Blueprint, current_app, flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext, ngettext
from flask_babel import refresh as forget_language
from werkzeug.wrappers import Response

from webapp import auth
from webapp.auth import actor
from webapp.errors import Conflict, InvalidInput, NotFound, Problem, TooMany
from webapp.services import second_factor, sign_ins, tokens, users
from webapp.web.languages import LANGUAGES, THEMES, told
from webapp.wording import said

blueprint = Blueprint("account", __name__)
Answer = Response | str | tuple[str, int]
AGAIN = said("is not the same as the new password; type both again")
CHOOSE = said("must be one of the choices")


@blueprint.route("/account", methods=["GET", "POST"])
def index() -> Answer:
    """Who is signed in, how pages look, with what; and the form that changes the password."""
    if request.method != "POST":
        return _page()
    try:
        if request.form.get("password") != request.form.get("again"):
            raise InvalidInput([Problem("#/again", AGAIN)])
        auth.change_password(request.form.get("current", ""), request.form.get("password", ""))
    except (InvalidInput, TooMany) as error:
        return _page(problems=_beside(error)), 422
    flash(gettext("Your password is changed. Every other browser and program of yours is signed out."))
    return redirect(url_for("home.dashboard"))


@blueprint.route("/account/display", methods=["GET", "POST"])
def display() -> Answer:
    """Choose language and theme; they hold from the next page on, in every browser."""
    if request.method != "POST":
        return redirect(url_for("account.index"))
    language, theme = request.form.get("language", ""), request.form.get("theme", "")
    wrong = {"language": language not in ("", *LANGUAGES), "theme": theme not in ("", *THEMES)}
    if any(wrong.values()):
        return _page(problems={word: CHOOSE for word, bad in wrong.items() if bad}), 422
    users.set_display(actor(), language, theme)
    session.pop("language", None)
    g.actor = replace(actor(), language=language, theme=theme)
    forget_language()
    flash(gettext("Language and theme are saved."))
    return redirect(url_for("account.index"))


@blueprint.route("/account/tokens", methods=["GET", "POST"])
def make_token() -> Answer:
    """Make a token for a program, which this page shows and nothing keeps."""
    if request.method != "POST":
        return redirect(url_for("account.index", _anchor="sign-ins"))
    try:
        days = request.form.get("days", "")
        number = int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 0
        grant = tokens.make(actor(), request.form.get("name", ""), number, auth.address())
    except InvalidInput as error:
        return _page(problems=_beside(error, "token-")), 422
    return _page(handed=auth.long_token(grant))


@blueprint.route("/account/sign-ins/<family>/end", methods=["GET", "POST"])
def end_sign_in(family: str) -> Response:
    """End one sign-in or token of one's own."""
    if request.method == "POST":
        try:
            sign_ins.end(family, actor())
            flash(gettext("Ended. What used it is out from now on."))
        except NotFound as error:
            flash(told(error.detail))
    return redirect(url_for("account.index", _anchor="sign-ins"))


@blueprint.route("/account/sign-ins/end-others", methods=["GET", "POST"])
def end_others() -> Response:
    """End all but this one."""
    if request.method == "POST":
        n = sign_ins.end_others(actor())
        number = ngettext("%(num)d sign-in or token is ended.", "%(num)d sign-ins and tokens are ended.", n)
        flash(number if n else gettext("There is no other sign-in."))
    return redirect(url_for("account.index", _anchor="sign-ins"))


@blueprint.get("/account/second-factor")
def factor() -> str:
    """Whether a code is asked at sign-in, and everything to change that."""
    return _factor_page()


@blueprint.route("/account/second-factor/<act>", methods=["GET", "POST"])
def change_factor(act: str) -> Answer:
    """begin, confirm, codes (make new ones) or off."""
    if request.method != "POST":
        return redirect(url_for("account.factor"))
    if act not in ("begin", "confirm", "codes", "off"):
        raise NotFound(said("There is nothing at this address."))
    try:
        codes = _change_factor(act)
    except (InvalidInput, TooMany) as error:
        return _factor_page(act=act, problems=_beside(error)), 422
    except Conflict as error:
        return _factor_page(refused=error.detail), 409
    return _factor_page(codes=codes) if codes else redirect(url_for("account.factor"))


def _change_factor(act: str) -> list[str]:
    """Do it; returns recovery codes to show, where there are new ones."""
    password, code = request.form.get("current", ""), request.form.get("code", "")
    key, address = auth.factor_key(), auth.address()
    if act == "begin":
        second_factor.begin(actor(), password, address)
    elif act == "confirm":
        return second_factor.confirm(actor(), code, key)
    elif act == "codes":
        return second_factor.renew_codes(actor(), password, code, key, address)
    else:
        second_factor.turn_off(actor(), password, code, key, address)
        flash(gettext("The second factor is off. The password alone signs you in."))
    return []


def _factor_page(act: str = "", **shown: Any) -> str:
    begun = second_factor.pending(actor(), auth.factor_key())
    picture = segno.make(begun.uri, error="m").svg_data_uri(scale=5, border=4, light="#fff") if begun else ""
    state = second_factor.state(actor().id)
    return render_template(
        "account/second_factor.html", state=state, begun=begun, picture=picture, act=act, **shown
    )


def _page(problems: dict[str, str] | None = None, handed: str = "") -> str:
    return render_template(
        "account/index.html",
        problems=problems or {},
        handed=handed,
        typed=request.form if problems else {},
        factor=second_factor.state(actor().id),
        sign_ins=sign_ins.list_of(actor()),
        most_days=tokens.MOST_DAYS,
        most_listed=sign_ins.MOST_LISTED,
        idle_minutes=current_app.config["SESSION_IDLE_SECONDS"] // 60,
    )


def _beside(error: InvalidInput | TooMany, prefix: str = "") -> dict[str, str]:
    found = error.problems if isinstance(error, InvalidInput) else [Problem("#/current", error.detail)]
    return {prefix + p.pointer.removeprefix("#/"): p.detail for p in found}
