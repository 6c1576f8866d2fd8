"""People: who may sign in, as what, and with what they are signed in."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from webapp.auth import SIGNED_IN, actor
from webapp.errors import Conflict, InvalidInput, NotFound
from webapp.services import (
    activity,
    model_access,
    passwords,
    reset_links,
    second_factor,
    sign_ins,
    users,
)
from webapp.services.activity import Wanted
from webapp.web.words import named
from webapp.wording import said

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
Answer = Response | str | tuple[str, int]
MOST_LISTED = 200
RECENT = 10


class Handed(NamedTuple):
    """What is shown once, to be handed over: a one-time password, or the address of a link."""

    username: str
    password: str = ""
    link: str = ""


@blueprint.get("/users")
def people() -> str:
    """Every account, or those whose name contains `?q=`, and the form that makes one."""
    return _list()


@blueprint.post("/users")
def create_user() -> Answer:
    """Make an account with a one-time password or a link, which the next page shows and nothing keeps."""
    name, role = request.form.get("username", "").strip(), request.form.get("role", "")
    try:
        if request.form.get("give") == "link":
            made, token = users.invite(name, role, actor=actor())
            handed = Handed(made.username, link=_address(token))
        else:
            password = passwords.one_time()
            made = users.create(name, role, password, actor=actor(), must_change=True)
            handed = Handed(made.username, password=password)
    except InvalidInput as error:
        return _list({p.pointer.removeprefix("#/"): p.detail for p in error.problems}), 422
    except Conflict as error:
        return _list({"username": error.detail}), 409
    return _person(made.username, handed=handed)


@blueprint.get("/users/<name>")
def person(name: str) -> str:
    """One account: role, sign-ins, second factor, models, and what it did lately."""
    return _person(name)


@blueprint.route("/users/<name>/<act>", methods=["GET", "POST"])
def change_user(name: str, act: str) -> Answer:
    """Change an account: role, disable, enable, reset (its password), link, second-factor, end, end-all."""
    if request.method != "POST":
        return redirect(url_for("admin.person", name=name))
    if act not in ACTS:
        raise NotFound(said("There is nothing at this address."))
    try:
        handed = ACTS[act](name)
    except Conflict as error:
        return _person(name, refused=error.detail), 409
    except InvalidInput as error:
        return _person(name, refused=error.detail), 422
    return _person(name, handed=handed) if handed else redirect(url_for("admin.person", name=name))


def _disable(name: str) -> None:
    users.disable(name, actor())
    flash(gettext("%(name)s is disabled: signed out everywhere, and cannot sign in.", name=name))


def _enable(name: str) -> None:
    users.enable(name, actor())
    flash(gettext("%(name)s may sign in again.", name=name))


def _set_role(name: str) -> None:
    role = request.form.get("role", "")
    users.set_role(name, role, actor())
    flash(gettext("%(name)s has the role %(role)s now.", name=name, role=named("role", role)))


def _reset(name: str) -> Handed:
    return Handed(name, password=users.reset_password(name, actor()))


def _link(name: str) -> Handed:
    return Handed(name, link=_address(reset_links.make(name, actor())))


def _reset_factor(name: str) -> None:
    second_factor.reset(name, actor())
    flash(gettext("%(name)s signs in with the password alone now.", name=name))


def _end(name: str) -> None:
    try:
        sign_ins.end(request.form.get("family", ""), actor(), name)
    except NotFound as error:
        raise Conflict(error.detail) from error
    flash(gettext("Ended. What used it is out from now on."))


def _end_all(name: str) -> None:
    sign_ins.end_all(name, actor())
    flash(gettext("Every sign-in and token of %(name)s is ended.", name=name))


ACTS = {
    "disable": _disable,
    "enable": _enable,
    "role": _set_role,
    "reset": _reset,
    "link": _link,
    "second-factor": _reset_factor,
    "end": _end,
    "end-all": _end_all,
}


def _address(token: str) -> str:
    return url_for("login.reset", token=token, _external=True)


def _list(problems: dict[str, str] | None = None) -> str:
    q = request.args.get("q", "")
    found = users.list_all(actor(), q, MOST_LISTED + 1)
    return render_template(
        "admin/users.html",
        people=found[:MOST_LISTED],
        more=len(found) > MOST_LISTED,
        q=q,
        roles=sorted(SIGNED_IN),
        problems=problems or {},
        typed=request.form if problems else {},
    )


def _person(name: str, **shown: Any) -> str:
    known = users.get(name, actor())
    return render_template(
        "admin/user.html",
        person=known,
        roles=sorted(SIGNED_IN),
        factor=second_factor.state(known.id),
        sign_ins=sign_ins.list_of(actor(), known.username),
        models=[m for m in model_access.list_all(actor()) if m.restricted],
        recent=activity.search(actor(), Wanted(person=known.username), limit=RECENT).lines,
        most_listed=sign_ins.MOST_LISTED,
        idle_minutes=current_app.config["SESSION_IDLE_SECONDS"] // 60,
        **shown,
    )
