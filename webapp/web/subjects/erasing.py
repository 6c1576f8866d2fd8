"""Erase a record, or all about a subject: first what would go, then what goes."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from webapp.auth import actor
from webapp.doors import desk
from webapp.errors import Conflict, InvalidInput, Problem
from webapp.services import erased, erasure
from webapp.services.erasure import Order
from webapp.services.targets import Target
from webapp.web.subjects.blueprint import back, blueprint, target
from webapp.wording import said

FIELDS = ("basis", "requested_by", "reason", "typed")


@blueprint.route("/erase", methods=["GET", "POST"])
def erase() -> Response | str | tuple[str, int]:
    """What an erasure would take, and the form that does it."""
    wanted = target()
    if wanted is None:
        return redirect(url_for("subjects.index"))
    if request.method != "POST":
        return _page(wanted)
    form = request.form
    try:
        found = erasure.preview(wanted)
        if not found.refusal and form.get("seen") != str(found.records):
            changed = said(
                "does not stand for what is shown now: there are other records than before; look again"
            )
            raise InvalidInput([Problem("#/typed", changed)])
        order = Order(**{name: form.get(name, "") for name in FIELDS})
        done = erasure.erase(desk(), actor(), wanted, order)
    except InvalidInput as error:
        return _page(wanted, {p.pointer.removeprefix("#/"): p.detail for p in error.problems}), 422
    except Conflict as error:
        return _page(wanted, refused=error.detail), 409
    flash(ngettext("%(num)d record is erased.", "%(num)d records are erased.", done.records))
    if not done.clean:
        flash(
            gettext(
                "Somebody is reading the database, so old bytes are still in its files; they are overwritten as "
                "soon as that is over."
            )
        )
    return redirect(back(wanted))


def _page(wanted: Target, problems: dict[str, str] | None = None, refused: str = "") -> str:
    found = erasure.preview(wanted)
    return render_template(
        "subjects/erase.html",
        target=wanted,
        back=back(wanted),
        found=found,
        refused=found.refusal or refused,
        phrase=erasure.phrases(found)[0],
        bases={code: words for code, words in erased.BASES.items() if code != erased.RETENTION},
        requesters={code: words for code, words in erased.REQUESTERS.items() if code != erased.RETENTION},
        problems=problems or {},
        typed=request.form,
    )
