"""For how long records are kept."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from webapp.auth import actor
from webapp.errors import InvalidInput, Problem
from webapp.services import retention
from webapp.wording import said, said_n

blueprint = Blueprint("retention", __name__, url_prefix="/admin/retention")


@blueprint.get("")
def index() -> str:
    """The rule, and what it does; with `?days=` what another one would erase now."""
    return _page()


@blueprint.post("/rule")
def change() -> Response | tuple[str, int]:
    """Set the rule."""
    form = request.form
    problems: list[Problem] = []
    days = None if form.get("keep") == "ever" else _whole(form.get("days", ""), "#/days", problems)
    floor = _whole(form.get("floor_days", ""), "#/floor_days", problems)
    try:
        if problems:
            raise InvalidInput(problems)
        _look_first(days)
        retention.change(actor(), days=days, floor_days=floor, typed=form.get("typed", ""))
    except InvalidInput as error:
        return _page({p.pointer.removeprefix("#/"): p.detail for p in error.problems}), 422
    flash(gettext("For how long records are kept is set."))
    return redirect(url_for("retention.index"))


def _look_first(days: int | None) -> None:
    """Raises InvalidInput where the page has not shown yet what these days would erase."""
    if days is None or request.form.get("looked") == str(days) or days == retention.rule(actor()).days:
        return
    n = retention.due(actor(), days).records
    if n:
        shown = said_n(
            "would erase {n} record; it is told below. Set it again to go on",
            "would erase {n} records; they are told below. Set it again to go on",
            n=n,
        )
        raise InvalidInput([Problem("#/days", shown)])


def _whole(text: str, pointer: str, problems: list[Problem]) -> int:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 7:
        return int(text)
    problems.append(Problem(pointer, said("must be a whole number of days")))
    return 0


def _page(problems: dict[str, str] | None = None) -> str:
    rule = retention.rule(actor())
    asked = request.form.get("days", "") or request.args.get("days", "")
    other = int(asked) if asked.isascii() and asked.isdigit() and 0 < len(asked) < 6 else None
    looked = rule.days if other is None else other
    return render_template(
        "retention/index.html",
        rule=rule,
        looked=looked,
        due=None if looked is None else retention.due(actor(), looked),
        asked=asked,
        phrase=retention.SHORT[0],
        short=retention.FLOOR_DAYS,
        may=actor().role == "admin",
        problems=problems or {},
        typed=request.form,
    )
