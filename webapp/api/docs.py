"""The API, described: the OpenAPI document, a page to try it, and what each error means."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from flask import Response, current_app, render_template, send_from_directory

from webapp.api import deprecations, openapi
from webapp.api.blueprint import api
from webapp.auth import visitor
from webapp.doors import METHOD, STATUS, UNEXPECTED, desk, json_response
from webapp.errors import NotReady
from webapp.services import registry
from webapp.services.people import Actor
from webapp.services.registry import ModelDetail

ASSETS = frozenset({"swagger_bundle.js", "swagger_preset.js", "swagger_style.css"})


def _asset_folder() -> Path:
    # Located, not imported: importing the package reads nine megabytes of scripts into memory.
    found = find_spec("offapi")
    if found is None or found.origin is None:
        raise RuntimeError("the package offapi is not installed")
    return Path(found.origin).parent


@api.get("/openapi.json")
def openapi_document() -> Response:
    """OpenAPI 3.1; for somebody signed in, with a concrete request schema for each published model."""
    who = visitor()
    details = [_described(m.name, who) for m in registry.list_models(who)] if who else []
    known = [d for d in details if d]
    described = openapi.document(current_app.config["VERSION"], known, desk().default_model)
    return json_response(deprecations.mark(described, current_app.url_map))


def _described(name: str, actor: Actor) -> ModelDetail | None:
    try:
        return registry.describe(desk().store, name, actor=actor)
    except NotReady:  # a damaged model must not hide the others
        return None


@api.get("/docs")
def docs() -> str:
    """A page to read and try the API; everything on it is served from here."""
    return render_template("api/docs.html")


@api.get("/docs/errors")
def errors() -> str:
    """What each error type means."""
    told = {status: error.__doc__ for error, status in STATUS.items()}
    told[METHOD] = "The address exists, but not for this method; the Allow header names those it has."
    told[UNEXPECTED] = "A fault of this server. The request id leads to it in the log."
    return render_template("api/errors.html", told=sorted(told.items()))


@api.get("/docs/assets/<name>")
def docs_asset(name: str) -> Response:
    """A script or style of the page."""
    return send_from_directory(_asset_folder(), name if name in ASSETS else "absent", max_age=86400)
