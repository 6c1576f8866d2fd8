"""The models that can be asked."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from webapp.auth import actor
from webapp.doors import desk
from webapp.services import comparing, model_cards, registry
from webapp.services.clock import now_us

blueprint = Blueprint("models", __name__)


@blueprint.get("/models")
def index() -> str:
    """Every model with a version that answers."""
    return render_template("models/index.html", models=registry.list_models(actor()))


@blueprint.get("/models/<name>")
def show(name: str) -> str:
    """One model: its card, features, measures and versions."""
    card = model_cards.read(desk().store, name, request.args.get("version"), actor=actor())
    return render_template("models/show.html", model=card.detail, card=card)


@blueprint.get("/models/<name>/card")
def card(name: str) -> str:
    """The model card of one version, made for paper."""
    found = model_cards.read(desk().store, name, request.args.get("version"), actor=actor())
    return render_template("models/card.html", model=found.detail, card=found, printed_us=now_us())


@blueprint.get("/models/<name>/compare")
def compare(name: str) -> str:
    """Two versions beside each other: those named by `from` and `to`, else the newest and the one before."""
    numbers = [v.number for v in registry.list_versions(name, actor=actor())]
    before = request.args.get("from", numbers[min(1, len(numbers) - 1)])
    found = comparing.compare(desk(), name, before, request.args.get("to", numbers[0]), actor=actor())
    return render_template("models/compare.html", model=found.after.detail, found=found)
