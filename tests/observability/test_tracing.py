"""Spans of requests and their stages; nothing of it while nobody has asked for traces."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from structlog.testing import capture_logs

from config import ROOT
from webapp.observability import note, tracing

CALLER = {"HTTP_TRACEPARENT": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
STAGES = {"read": 20, "check": 30, "predict": 40, "keep": 900}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing.use(provider, "1")
    yield kept
    tracing.stop()


def noted(environ: dict[str, Any], status: int = 200, ns: int = 1_000_000) -> None:
    clock = time.perf_counter_ns() - ns
    note("POST", "api.predict", status, clock, "r1", 1, stages=STAGES, environ=environ)


def test_stages_are_inside_the_request_one_after_the_other(spans: InMemorySpanExporter) -> None:
    noted({})
    *stages, request = spans.get_finished_spans()
    assert [s.name for s in stages] == list(STAGES)
    assert {s.parent.span_id for s in stages if s.parent} == {request.context.span_id}
    assert [(s.end_time or 0) - (s.start_time or 0) for s in stages] == [us * 1000 for us in STAGES.values()]
    assert [s.end_time for s in stages[:-1]] == [s.start_time for s in stages[1:]]
    assert stages[0].start_time == request.start_time and stages[-1].end_time <= request.end_time


def test_no_stage_outlasts_its_request(spans: InMemorySpanExporter) -> None:
    noted({}, ns=100_000)
    *stages, request = spans.get_finished_spans()
    assert all(s.start_time <= s.end_time <= request.end_time for s in stages)


def test_the_callers_trace_goes_on(spans: InMemorySpanExporter) -> None:
    noted(CALLER, status=503)
    request = spans.get_finished_spans()[-1]
    assert request.parent is not None and f"{request.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert not request.status.is_ok
    assert f"{request.context.trace_id:032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_what_is_not_sampled_has_an_id_all_the_same(spans: InMemorySpanExporter) -> None:
    tracing.use(TracerProvider(sampler=ParentBased(ALWAYS_OFF)), "1")
    facts = {"method": "GET", "endpoint": "e", "status": 200, "request_id": "r"}
    assert len(tracing.record({}, 1000, facts, STAGES)) == 32
    assert tracing.record(CALLER | {"HTTP_TRACEPARENT": CALLER["HTTP_TRACEPARENT"][:-1] + "0"}, 1, facts, {})
    assert spans.get_finished_spans() == ()


def test_nothing_is_begun_or_loaded_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    tracing.start("1")
    assert not tracing.on
    # redis-py loads parts of OpenTelemetry by itself where it is there, but nothing that makes or sends spans.
    code = "import sys, webapp.app; sys.exit('opentelemetry.sdk.trace' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_who_asks_for_traces_without_the_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(tracing, "_installed", lambda: False)
    monkeypatch.setattr(tracing, "log", tracing.log.new())
    with capture_logs() as lines:
        tracing.start("1")
    assert [line["event"] for line in lines] == ["traces are off"] and not tracing.on
