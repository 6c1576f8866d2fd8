"""Filters with a name: keep the one in force, and rename or delete those kept."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from webapp.auth import actor
from webapp.errors import InvalidInput, Problem
from webapp.services import saved
from webapp.web.addresses import COLUMNS, kept
from webapp.web.history.blueprint import blueprint
from webapp.web.history.columns import choose


def address(query: str) -> str:
    """The list as a saved filter shows it."""
    words = parse_qs(query)
    return url_for("history.index", **words)  # type: ignore[arg-type]  # a list is a word given several times


def in_force() -> str:
    """The filters and columns of this page's address, as they are saved."""
    return urlencode(sorted(kept().items()), doseq=True)


@blueprint.get("/predictions/saved")
def list_saved() -> str:
    """The filters that this person has named."""
    return render_template("history/saved.html", saved=saved.of(actor()), problems={}, typed={})


@blueprint.post("/predictions/saved")
def save() -> Response:
    """Name the filters and columns of the address."""
    if problem := choose(request.args.getlist(COLUMNS), actor(), ()).problem:
        raise InvalidInput([Problem(f"#/{COLUMNS}", problem)])
    saved.keep(actor(), request.form.get("name", ""), in_force())
    flash(gettext("The filter is saved."))
    return redirect(url_for("history.index", **kept()))


@blueprint.post("/predictions/saved/<saved_id>")
def change_saved(saved_id: str) -> Response | tuple[str, int]:
    """Rename or delete one."""
    name = request.form.get("name", "")
    try:
        if request.form.get("act") == "delete":
            saved.forget(actor(), saved_id)
            flash(gettext("The saved filter is deleted."))
        else:
            saved.rename(actor(), saved_id, name)
            flash(gettext("The saved filter has a new name."))
    except InvalidInput as error:
        problems = {saved_id: error.problems[0].detail}
        page = render_template(
            "history/saved.html", saved=saved.of(actor()), problems=problems, typed={saved_id: name}
        )
        return page, 422
    return redirect(url_for("history.list_saved"))


blueprint.add_app_template_global(address, "saved_address")
blueprint.add_app_template_global(in_force, "in_force")
