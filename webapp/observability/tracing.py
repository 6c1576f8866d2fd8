"""Spans for OpenTelemetry, where the extra `otel` is installed and OTEL_EXPORTER_OTLP_ENDPOINT says where to.

A request's span is made when it has been answered, from the times that were taken anyway: while traces are off, a
request pays for one look at `on`.
"""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from webapp.observability.logs import log

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
#: Milliseconds for what is left to be sent when a worker leaves.
LEAVE_MS = 2000
#: Whether spans are made.
on = False
_tracer: Any = None
_provider: Any = None


def start(version: str) -> None:
    """Make spans from now on, if somebody wants them; after the fork, for what sends them is a thread."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return
    if not _installed():
        log.error("traces are off", error="the extra otel is not installed; see docs/how-to/monitor.md")
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    own: dict[str, str | int] = {
        "service.name": "parecer",
        "service.version": version,
        "process.pid": os.getpid(),
    }
    if os.environ.get("OTEL_SERVICE_NAME"):
        del own["service.name"]
    provider = TracerProvider(resource=Resource.create({**own}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider, version)


def _installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ImportError:  # not even its first parts
        return False


def use(provider: Any, version: str) -> None:
    """Make spans with a TracerProvider."""
    global on, _tracer, _provider
    _provider, _tracer, on = provider, provider.get_tracer("parecer", version), True


def stop() -> None:
    """Send what is left, and make no more spans."""
    global on, _tracer, _provider
    if _provider is not None:
        _provider.force_flush(LEAVE_MS)
        _provider.shutdown()
    on, _tracer, _provider = False, None, None


def record(environ: WSGIEnvironment, ns: int, facts: dict[str, Any], stages: dict[str, int]) -> str:
    """Make the span of a request that took `ns` until now, and one for each stage (→ microseconds) inside it.

    A traceparent of the caller is continued. Returns the trace id, 32 hex digits.
    """
    from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    end = time.time_ns()
    sent = {
        name: environ[key]
        for name, key in (("traceparent", "HTTP_TRACEPARENT"), ("tracestate", "HTTP_TRACESTATE"))
        if key in environ
    }
    span = _tracer.start_span(
        f"{facts['method']} {facts['endpoint']}",
        context=TraceContextTextMapPropagator().extract(sent),
        kind=SpanKind.SERVER,
        start_time=end - ns,
        attributes={
            "http.request.method": facts["method"],
            "http.response.status_code": facts["status"],
            "parecer.endpoint": facts["endpoint"],
            "parecer.request_id": facts["request_id"],
        },
    )
    if span.is_recording():
        if facts["status"] >= 500:
            span.set_status(Status(StatusCode.ERROR))
        inside, at = set_span_in_context(span), end - ns
        for stage, us in stages.items():
            child = _tracer.start_span(stage, context=inside, start_time=at)
            at = min(at + us * 1000, end)
            child.end(at)
    span.end(end)
    return format_trace_id(span.get_span_context().trace_id)
