"""Whether we are alive and ready, and what has been counted."""

from __future__ import annotations

import hmac
import os
import struct
from pathlib import Path

from flask import Blueprint, Response, current_app, request
from prometheus_client import REGISTRY as IN_PROCESS
from prometheus_client import CollectorRegistry, generate_latest, multiprocess

from webapp.doors import desk, json_response
from webapp.errors import NotAllowed, NotReady
from webapp.observability.gauges import Gauges
from webapp.observability.logs import log
from webapp.services import operations

probes = Blueprint("probes", __name__)


@probes.get("/livez")
def livez() -> Response:
    """The process answers; nothing else is asked."""
    return json_response({"status": "alive"})


@probes.get("/readyz")
def readyz() -> Response:
    """Questions can be answered; raises NotReady, which says no more than that."""
    try:
        operations.check_ready(desk())
    except Exception as error:
        log.error("not ready", error=error.detail if isinstance(error, NotReady) else repr(error))
        raise NotReady("Not ready; the log says why.", 5) from error
    return json_response({"status": "ready"})


@probes.get("/metrics")
def metrics() -> Response:
    """Prometheus text, over all workers; for this machine, and for who shows METRICS_TOKEN.

    Raises NotAllowed, and NotReady when the counters of the workers cannot be read.
    """
    if request.remote_addr not in ("127.0.0.1", "::1") and not _shows_token():
        raise NotAllowed(
            "Metrics are for this machine: scrape them through 127.0.0.1, or show METRICS_TOKEN as a bearer token."
        )
    current_app.extensions["meter_reader"].read()
    looked_up = CollectorRegistry()
    looked_up.register(Gauges(desk(), current_app.config["VERSION"]))
    try:
        lines = generate_latest(_counted()) + generate_latest(looked_up)
    except (OSError, ValueError, struct.error) as error:  # the last: a file without its first bytes yet
        log.error("metrics cannot be read", error=repr(error))
        raise NotReady("The counters cannot be read; they are made anew when a worker starts.", 5) from error
    return Response(lines, mimetype="text/plain; version=0.0.4")


def _shows_token() -> bool:
    token: str = current_app.config["METRICS_TOKEN"]
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and hmac.compare_digest(shown.encode(), token.encode())


def _counted() -> CollectorRegistry:
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return IN_PROCESS
    _forget_dead(Path(folder))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _forget_dead(folder: Path) -> None:
    """Let go of the memory of processes that are gone; gunicorn tells of its own, and nobody of the job worker."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            path.unlink(missing_ok=True)
