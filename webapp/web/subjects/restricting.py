"""Restrict a record, or all about a subject, and lift that again."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import ngettext
from werkzeug.wrappers import Response

from webapp.auth import actor
from webapp.errors import Conflict, InvalidInput
from webapp.services import erasure, holds
from webapp.services.targets import Target
from webapp.web.subjects.blueprint import back, blueprint, target


@blueprint.route("/restrict", methods=["GET", "POST"])
def restrict() -> Response | str | tuple[str, int]:
    """What a restriction would hold, or what it holds, and the forms that set and lift it."""
    wanted = target()
    if wanted is None:
        return redirect(url_for("subjects.index"))
    if request.method != "POST":
        return _page(wanted)
    form = request.form
    try:
        if form.get("act") == "lift":
            n = holds.lift(actor(), wanted)
            flash(ngettext("%(num)d record is active again.", "%(num)d records are active again.", n))
        else:
            n = holds.restrict(actor(), wanted, form.get("reason", ""), holds.until(form.get("until", "")))
            flash(ngettext("%(num)d record is restricted.", "%(num)d records are restricted.", n))
    except InvalidInput as error:
        return _page(wanted, {p.pointer.removeprefix("#/"): p.detail for p in error.problems}), 422
    except Conflict as error:
        return _page(wanted, refused=error.detail), 409
    return redirect(back(wanted))


def _page(wanted: Target, problems: dict[str, str] | None = None, refused: str = "") -> str:
    found = erasure.preview(wanted)
    return render_template(
        "subjects/restrict.html",
        target=wanted,
        back=back(wanted),
        found=found,
        active=found.records - found.n_held,
        standing=holds.standing(wanted, limit=20),
        refused=refused,
        problems=problems or {},
        typed=request.form,
    )
