"""The JSON API under /api/v1."""

from __future__ import annotations

from flask import Flask

from webapp.api import (
    audit,
    conditional,
    deprecations,
    docs,
    experiments,
    jobs,
    models,
    predictions,
    records,
    releases,
    submissions,
    tokens,
)
from webapp.api.blueprint import api
from webapp.api.predictions import SHORTCUT
from webapp.extensions import csrf

__all__ = [
    "SHORTCUT",
    "audit",
    "conditional",
    "deprecations",
    "docs",
    "experiments",
    "init_app",
    "jobs",
    "models",
    "predictions",
    "records",
    "releases",
    "submissions",
    "tokens",
]


def init_app(app: Flask) -> None:
    """Register the routes; tokens, not cookies, speak for the caller here, so there is nothing to forge."""
    csrf.exempt(api)
    app.register_blueprint(api)
    deprecations.init_app(app)
