"""Which version of a model answers: seen, changed, undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from webapp.auth import PUBLISHERS, actor
from webapp.doors import desk, tell
from webapp.errors import AppError, Conflict, InvalidInput, NotFound, NotReady, Outdated
from webapp.services import registry, releases
from webapp.services.clock import now_us
from webapp.services.filters import time_of
from webapp.services.releases import CANDIDATE
from webapp.wording import said

blueprint = Blueprint("releases", __name__, url_prefix="/models/<name>/releases")


@blueprint.get("")
def index(name: str) -> str | tuple[str, int]:
    """What answers, what was live when, and, for who may, how to change it; `?at=` asks for one moment."""
    at, problems = request.args.get("at", "").strip(), {}
    at_us = now_us()
    try:
        at_us = time_of(at, "#/at") if at else at_us
    except InvalidInput as error:
        problems = {"at": error.problems[0].detail}
    page = _page(name, at_us=at_us, problems=problems)
    return (page, 422) if problems else page


@blueprint.post("/<act>")
def change(name: str, act: str) -> Response | tuple[str, int]:
    """Make one change, upon the state that the page has shown."""
    try:
        flash(_do(name, act))
    except (Conflict, InvalidInput, NotReady, Outdated) as error:
        return _refused(name, act, error)
    return redirect(url_for("releases.index", name=name))


def _do(name: str, act: str) -> str:
    """What was done, in words."""
    if act not in ACTS:
        raise NotFound(said("There is nothing at this address."))
    form = request.form
    given = {word: form.get(word, "").strip() for word in ("version", "alias", "request", "reason")}
    return str(ACTS[act](name, given, revision()))


def _promote(name: str, given: dict[str, str], upon: int) -> Any:
    made = releases.promote(desk(), actor(), name, given["version"], reason=given["reason"], revision=upon)
    if made.waiting:
        return gettext("Somebody else has to approve version %(version)s now.", version=made.version)
    return gettext("Version %(version)s answers from now on.", version=made.version)


def _roll_back(name: str, given: dict[str, str], upon: int) -> Any:
    version = given["version"] or None
    made = releases.roll_back(desk(), actor(), name, version, reason=given["reason"], revision=upon)
    return gettext("Version %(version)s answers again.", version=made.version)


def _put_forward(name: str, given: dict[str, str], upon: int) -> Any:
    made = releases.set_alias(desk(), actor(), name, CANDIDATE, given["version"], revision=upon)
    return gettext("Version %(version)s is put forward.", version=made.version)


def _set_alias(name: str, given: dict[str, str], upon: int) -> Any:
    made = releases.set_alias(desk(), actor(), name, given["alias"], given["version"], revision=upon)
    return gettext("%(alias)s leads to version %(version)s.", alias=made.alias, version=made.version)


def _drop_alias(name: str, given: dict[str, str], upon: int) -> Any:
    releases.drop_alias(actor(), name, given["alias"], revision=upon)
    return gettext("%(alias)s leads nowhere any more.", alias=given["alias"])


def _approve(name: str, given: dict[str, str], upon: int) -> Any:
    made = releases.approve(desk(), actor(), name, given["request"], reason=given["reason"], revision=upon)
    return gettext("Version %(version)s answers from now on.", version=made.version)


def _refuse(name: str, given: dict[str, str], upon: int) -> Any:
    releases.refuse(actor(), name, given["request"], reason=given["reason"], revision=upon)
    return gettext("The promotion is refused.")


def _withdraw(name: str, given: dict[str, str], upon: int) -> Any:
    releases.withdraw(actor(), name, given["request"], revision=upon)
    return gettext("The promotion is withdrawn.")


#: Word of the address -> what it does, and says that it has done.
ACTS: dict[str, Callable[[str, dict[str, str], int], Any]] = {
    "promote": _promote,
    "rollback": _roll_back,
    "candidate": _put_forward,
    "alias": _set_alias,
    "drop": _drop_alias,
    "approve": _approve,
    "refuse": _refuse,
    "withdraw": _withdraw,
}


def revision() -> int:
    """The state that the form was shown upon; raises Outdated for none."""
    text = request.form.get("revision", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Outdated(said("Open the page again, and decide anew."))
    return int(text)


def _refused(name: str, act: str, error: AppError) -> tuple[str, int]:
    told = tell(error)
    fields = {p.pointer.removeprefix("#/"): p.detail for p in told.problems}
    page = _page(name, at_us=now_us(), problems=fields, act=act, failed="" if fields else told.detail)
    return page, told.status.code


def _page(name: str, *, at_us: int, **shown: Any) -> str:
    who = actor()
    past = releases.history(name, actor=who)
    return render_template(
        "releases/index.html",
        now=releases.standing(name, actor=who),
        versions=registry.list_versions(name, actor=who),
        past=past,
        live_then=next((r for r in past if r.at_us <= at_us), None),
        at_us=at_us,
        may=who.role in PUBLISHERS,
        typed=request.form,
        **shown,
    )
