"""Server-rendered pages; one blueprint a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Response, current_app, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from jinja2 import pass_context
from jinja2.runtime import Context
from werkzeug.urls import iri_to_uri

from webapp import auth
from webapp.doors import Told, tell
from webapp.errors import NotSignedIn
from webapp.services.clock import now_us
from webapp.web import (
    access,
    account,
    activity,
    addresses,
    admin,
    assets,
    audit,
    carrying,
    engines,
    events,
    evidence,
    experiments,
    history,
    home,
    jobs,
    languages,
    login,
    models,
    predictions,
    releases,
    retention,
    subjects,
    submissions,
    thresholds,
    words,
)
from webapp.wording import unpack

PAGES = (
    access,
    account,
    activity,
    admin,
    assets,
    audit,
    evidence,
    experiments,
    history,
    home,
    jobs,
    login,
    models,
    predictions,
    releases,
    retention,
    submissions,
    subjects,
)
STALE = lazy_gettext(
    "This page was open for too long, or in a browser without cookies, so that nothing was done."
)


def init_app(app: Flask) -> None:
    """Register the pages and the words and numbers their templates are written with."""
    languages.init_app(app)
    for page in PAGES:
        app.register_blueprint(page.blueprint)
    filters = words.FILTERS | events.FILTERS | engines.FILTERS | {"unpacked": unpack}
    app.jinja_env.filters.update({name: _asked_each_time(filter) for name, filter in filters.items()})
    app.jinja_env.globals.update(
        addresses.GLOBALS
        | assets.GLOBALS
        | carrying.GLOBALS
        | engines.GLOBALS
        | evidence.GLOBALS
        | thresholds.GLOBALS
        | words.GLOBALS,
        now_us=now_us,
    )
    app.context_processor(_frame)


def _asked_each_time(filter: Callable[..., Any]) -> Callable[..., Any]:
    """Without the context, Jinja would apply a filter to a literal once, in the language of whoever came first."""

    @pass_context
    def ask(_context: Context, *args: Any, **kwargs: Any) -> Any:
        return filter(*args, **kwargs)

    return ask


def error_page(error: Exception) -> Response:
    """An error as a page: what happened, what to do, and the request's id."""
    if isinstance(error, NotSignedIn | CSRFError) and (page := _carried_on(error)):
        return page
    back = auth.this_page()
    if isinstance(error, NotSignedIn) and back and request.endpoint != "login.sign_in":
        return cast(Response, redirect(url_for("login.sign_in", next=back)))
    told: Told = tell(error)
    if g.get("actor") is None and told.status.code < 500 and "Authorization" not in request.headers:
        g.actor = auth.visitor()  # refused before anybody asked who this is
    shown: dict[str, Any] = {"told": told, "detail": told.detail}
    if isinstance(error, CSRFError):
        shown |= {"detail": STALE, "again": _form_again(), "typed": _typed()}
    page = make_response(render_template("errors/error.html", **shown), told.status.code)
    page.headers.extend(told.headers)
    return page


def _carried_on(error: Exception) -> Response | None:
    """The answer to a form that asks a model, where its sender is not signed in or its token not good."""
    found = carrying.sent()
    if found is None:
        unsent = (
            isinstance(error, NotSignedIn) and request.endpoint in auth.CARRIED and request.method == "POST"
        )
        return cast(Response, redirect(url_for("login.sign_in"))) if unsent else None
    return carrying.lost(found, signed_in=isinstance(error, CSRFError) and auth.visitor() is not None)


def _form_again() -> str:
    """Where the form that was sent can be opened, if its address can be."""
    adapter = current_app.create_url_adapter(request)
    opens = adapter is not None and "GET" in adapter.allowed_methods()
    return auth.safe_next(iri_to_uri(request.full_path.rstrip("?"))) if opens else ""


def _typed() -> dict[str, str]:
    """What was typed about a row: the browser forgets it, for pages are not stored. Never a password."""
    found = carrying.sent()
    return found.fields if found else {}


def _frame() -> dict[str, Any]:
    return {
        "actor": g.get("actor"),
        "request_id": g.get("request_id", ""),
        "menu": _menu(),
        "language": languages.tag(),
        "languages": languages.LANGUAGES,
        "theme": languages.theme(),
    }


def _menu() -> list[tuple[str, str, bool]]:
    """What this role may open: endpoint, word, whether we are there; without an endpoint, the head of a group."""
    actor = g.get("actor")
    entries = [
        ("home.dashboard", gettext("Desk")),
        ("models.index", gettext("Models")),
        ("history.index", gettext("History")),
        ("jobs.index", gettext("Batches")),
    ]
    if actor is not None and actor.sees_all:
        entries += [
            ("evidence.index", gettext("Audit")),
            ("audit.print_history", gettext("Audit report")),
        ]
    if actor is not None and actor.role == "admin":
        entries += [
            ("", gettext("Admin")),
            ("admin.people", gettext("People")),
            ("access.index", gettext("Model access")),
        ]
    if actor is not None and actor.sees_all:
        entries += [
            ("activity.index", gettext("Activity")),
            ("subjects.index", gettext("Data subjects")),
            ("retention.index", gettext("Retention")),
        ]
    return [(endpoint, word, endpoint.split(".")[0] == _room()) for endpoint, word in entries]


def _room() -> str:
    return {
        "predictions": "models",
        "releases": "models",
        "experiments": "models",
        "submissions": "models",
    }.get(request.blueprint or "", request.blueprint or "")
