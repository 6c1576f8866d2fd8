"""Metrics never cost an answer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from webapp import observability


def test_a_request_that_cannot_be_counted_is_answered_and_told_of_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError("histogram_1.db")

    monkeypatch.setattr(observability.SECONDS, "labels", gone)
    monkeypatch.setattr(observability, "_timers", {})
    monkeypatch.setattr(observability, "_uncounted", False)
    monkeypatch.setattr(observability, "log", observability.structlog.get_logger())
    with capture_logs() as lines:
        assert [client.get("/livez").status_code for _ in range(3)] == [200] * 3
    assert [line["event"] for line in lines] == ["requests go uncounted"]


def test_counters_that_cannot_be_read_are_not_ready(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))
    answer = client.get("/metrics")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    (tmp_path / "gone").mkdir()
    assert client.get("/metrics").status_code == 200
    (tmp_path / "gone" / "histogram_1.db").touch()
    assert client.get("/metrics").status_code == 503


def test_a_counted_request_is_in_the_metrics(client: FlaskClient) -> None:
    observability.note("GET", "probes.livez", 200, time.perf_counter_ns(), "r", None)
    assert (
        b'parecer_request_seconds_count{endpoint="probes.livez",status="200"}' in client.get("/metrics").data
    )
