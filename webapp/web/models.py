"""The models that can be asked."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from webapp.auth import actor
from webapp.doors import desk
from webapp.services import registry

blueprint = Blueprint("models", __name__)


@blueprint.get("/models")
def index() -> str:
    """Every model with a version that answers."""
    return render_template("models/index.html", models=registry.list_models(actor()))


@blueprint.get("/models/<name>")
def show(name: str) -> str:
    """One model: its card, features, measures and versions."""
    detail = registry.describe(desk().store, name, request.args.get("version"), actor=actor())
    return render_template("models/show.html", model=detail)
