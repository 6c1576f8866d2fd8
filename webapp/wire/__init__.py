"""Protocols of other servers: codecs over the same predictions, checks and record as every other way to ask."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask, Response

from webapp.extensions import csrf
from webapp.wire import mlflow, open_inference, predict_v1, repository
from webapp.wire.open_inference import SHORTCUT

__all__ = ["PREFIXES", "SHORTCUTS", "init_app", "refusal"]

SHORTCUTS = [SHORTCUT]
#: Where the protocols live, and how each tells an error.
PREFIXES: dict[str, Callable[[Exception], Response]] = {
    "/v2": open_inference.refuse,
    "/v1": open_inference.refuse,
    **dict.fromkeys(("/invocations", "/ping", "/health", "/version"), mlflow.refuse),
}
#: Addresses of MLflow among those of the pages.
INVOCATIONS = re.compile(r"/models/[^/]+(/[^/]+)?/invocations")
BLUEPRINTS = [open_inference.blueprint, repository.blueprint, predict_v1.blueprint, mlflow.blueprint]


def init_app(app: Flask) -> None:
    """Register the routes; tokens, not cookies, speak for the caller here, so there is nothing to forge."""
    for blueprint in BLUEPRINTS:
        csrf.exempt(blueprint)
        app.register_blueprint(blueprint)


def refusal(path: str) -> Callable[[Exception], Response] | None:
    """How an error is told at an address; None where it belongs to none of the protocols."""
    for prefix, refuse in PREFIXES.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return refuse
    return mlflow.refuse if INVOCATIONS.fullmatch(path) else None
