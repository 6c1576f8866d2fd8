"""What operators see: log lines, metrics, traces, and whether we are alive and ready."""

from __future__ import annotations

from flask import Flask

from webapp.observability import tracing
from webapp.observability.logs import configure_logging, log
from webapp.observability.metrics import MeterReader
from webapp.observability.probes import probes
from webapp.observability.requests import finish, note

__all__ = ["MeterReader", "configure_logging", "finish", "init_app", "log", "note"]


def init_app(app: Flask) -> None:
    """Register the probes and the line that every request leaves behind."""
    app.extensions["meter_reader"] = MeterReader(app.extensions["desk"])
    app.extensions["tracing"] = tracing
    app.register_blueprint(probes)
    app.after_request(finish)
