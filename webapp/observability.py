"""What operators see: one log line a request, counters and timings, and whether we are alive and ready."""

from __future__ import annotations

import logging
import os
import struct
import sys
import time
from datetime import UTC, datetime

import orjson
import structlog
from flask import Blueprint, Flask, Response, request
from prometheus_client import REGISTRY as IN_PROCESS
from prometheus_client import CollectorRegistry, Histogram, generate_latest, multiprocess
from sqlalchemy import text

from webapp.doors import desk, here, json_response
from webapp.errors import NotAllowed, NotReady
from webapp.extensions import db

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SECONDS = Histogram(
    "parecer_request_seconds",
    "Time from taking up a request to its answer, in seconds.",
    ["endpoint", "status"],
    buckets=BUCKETS,
)

probes = Blueprint("probes", __name__)
log = structlog.get_logger("parecer")
_lines = structlog.BytesLogger()
_log_requests = False
_uncounted = False


def configure_logging(level: str) -> None:
    """JSON lines on standard output, for our own lines and those of libraries."""
    global _log_requests
    number = logging.getLevelNamesMapping()[level]
    _log_requests = number <= logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(
                serializer=lambda value, **_: orjson.dumps(value, default=str).decode()
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )


def init_app(app: Flask) -> None:
    """Register the probes and the line that every request leaves behind."""
    app.register_blueprint(probes)
    app.after_request(finish)


_timers: dict[tuple[str, int], Histogram] = {}


def finish(response: Response) -> Response:
    """Count and log an answered request; registered as after_request."""
    asked, frame = here()
    found = frame.get("actor")
    who = found.id if found else None
    endpoint, trace = asked.endpoint or "unknown", frame.get("correlation")
    note(asked.method, endpoint, response.status_code, frame.clock, frame.request_id, who, trace)
    return response


def note(
    method: str,
    endpoint: str,
    status: int,
    clock: int,
    request_id: str,
    user: int | None,
    trace: dict[str, str] | None = None,
) -> None:
    """Count and log a request taken up at `clock` (time.perf_counter_ns); `trace` holds the caller's own ids of it."""
    seconds = (time.perf_counter_ns() - clock) / 1e9
    try:
        timer = _timers.get((endpoint, status))
        if timer is None:
            timer = _timers[endpoint, status] = SECONDS.labels(endpoint, str(status))
        timer.observe(seconds)
    except Exception as error:  # noqa: BLE001 - the answer may be on the record by now: it must go out, counted or not
        _tell_once(error)
    if not _log_requests:
        return
    # Straight to JSON: there is a line for every prediction.
    line = {
        "event": "request",
        "timestamp": datetime.now(UTC),
        "level": "info",
        "request_id": request_id,
        "method": method,
        "endpoint": endpoint,
        "status": status,
        "ms": round(seconds * 1000, 3),
        "user": user,
    }
    if trace is not None:
        line |= trace
    _lines.msg(orjson.dumps(line, option=orjson.OPT_UTC_Z))


def _tell_once(error: Exception) -> None:
    global _uncounted
    if not _uncounted:
        _uncounted = True
        log.error("requests go uncounted", error=repr(error))


@probes.get("/livez")
def livez() -> Response:
    """The process answers; nothing else is asked."""
    return json_response({"status": "alive"})


@probes.get("/readyz")
def readyz() -> Response:
    """The database answers and the registry can be read; raises NotReady."""
    try:
        with db.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        desk().watch.numbers(fresh=True)
    except Exception as error:
        log.error("not ready", error=repr(error))
        raise NotReady("The database does not answer.", 5) from error
    return json_response({"status": "ready"})


@probes.get("/metrics")
def metrics() -> Response:
    """Prometheus text, over all workers; for this machine only, unless a proxy lets others in.

    Raises NotReady when the counters of the workers cannot be read.
    """
    if request.remote_addr not in ("127.0.0.1", "::1"):
        raise NotAllowed("Metrics are for this machine; scrape them through 127.0.0.1.")
    registry: CollectorRegistry = IN_PROCESS
    try:
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        lines = generate_latest(registry)
    except (OSError, ValueError, struct.error) as error:  # the last: a file without its first bytes yet
        log.error("metrics cannot be read", error=repr(error))
        raise NotReady("The counters cannot be read; they are made anew when a worker starts.", 5) from error
    return Response(lines, mimetype="text/plain; version=0.0.4")
