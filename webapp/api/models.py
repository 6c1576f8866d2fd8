"""Models and their versions."""

from __future__ import annotations

from flask import Response, request

from webapp.api import presenters, version_presenters
from webapp.api.blueprint import api
from webapp.auth import actor
from webapp.doors import desk, json_response
from webapp.services import comparing, model_cards, registry


@api.get("/models")
def list_models() -> Response:
    """Every model with a live version."""
    return json_response({"data": [presenters.model_line(m) for m in registry.list_models(actor())]})


@api.get("/models/<name>")
def show_model(name: str) -> Response:
    """A model's schema, card and metrics, of its live version or of `?version=`."""
    detail = registry.describe(desk().store, name, request.args.get("version"), actor=actor())
    return json_response(presenters.model(detail))


@api.get("/models/<name>/versions")
def list_versions(name: str) -> Response:
    """The versions of a model, newest first."""
    return json_response(
        {"data": [presenters.version_line(v) for v in registry.list_versions(name, actor=actor())]}
    )


@api.get("/models/<name>/versions/<version>")
def show_version(name: str, version: str) -> Response:
    """One version in full: its card, metrics with intervals, engines, and where it comes from."""
    return json_response(
        version_presenters.version(model_cards.read(desk().store, name, version, actor=actor()))
    )


@api.get("/models/<name>/compare")
def compare_versions(name: str) -> Response:
    """Two versions beside each other."""
    before, after = request.args.get("from"), request.args.get("to")
    return json_response(
        version_presenters.comparison(comparing.compare(desk(), name, before, after, actor=actor()))
    )
