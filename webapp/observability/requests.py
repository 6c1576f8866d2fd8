"""What every answered request leaves behind: a count, a log line, and a span where traces are kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Response

from webapp.doors import here
from webapp.observability import tracing
from webapp.observability.logs import write_request
from webapp.observability.metrics import count_request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def finish(response: Response) -> Response:
    """Count and log an answered request; registered as after_request."""
    asked, frame = here()
    actor, ask = frame.get("actor"), frame.get("ask")
    note(
        asked.method,
        asked.endpoint or "unknown",
        response.status_code,
        frame.clock,
        frame.request_id,
        actor.id if actor else None,
        frame.get("correlation"),
        ask.stages if ask else None,
        asked.environ,
    )
    return response


def note(
    method: str,
    endpoint: str,
    status: int,
    clock: int,
    request_id: str,
    user: int | None,
    trace: dict[str, str] | None = None,
    stages: dict[str, int] | None = None,
    environ: WSGIEnvironment | None = None,
) -> None:
    """Count and log a request taken up at `clock` (time.perf_counter_ns).

    `trace` holds the caller's own ids of it; `stages` (→ microseconds) and the headers in `environ` go into a span.
    """
    ns = time.perf_counter_ns() - clock
    count_request(endpoint, status, ns)
    facts = {
        "request_id": request_id,
        "method": method,
        "endpoint": endpoint,
        "status": status,
        "ms": round(ns / 1e6, 3),
        "user": user,
    }
    if trace is not None:
        facts |= trace
    if tracing.on and environ is not None:
        facts["trace_id"] = tracing.record(environ, ns, facts, stages or {})
    write_request(facts)
