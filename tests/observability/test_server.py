"""A server as operators run it: every line of its log is JSON, nothing that was asked is in it, traces arrive."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.observability.receiver import Receiver, attributes, receiving
from tests.server import Server, eventually, serve

PREDICT = "/api/v1/models/iris/predict"
IRIS = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
#: In inputs, tokens, addresses, headers, keys: none of them may be in a log, or leave with a trace.
CANARY = "Kanarienvogel"
#: Bytes that no HTTP server takes, each with the canary in it.
TORN = (
    f"GET /?q={CANARY} HTTP/9.9\r\n\r\n",
    f"{CANARY} / HTTP/1.1\r\n\r\n",
    f"GET /{CANARY} HTTP/1.1\r\nHost: localhost\r\n{CANARY} bad: header\r\n\r\n",
    f"GET /{CANARY} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {CANARY}\r\n\r\n",
    f"POST {PREDICT}?{CANARY} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n",
)


class Run(NamedTuple):
    """What a server has written and sent in its life."""

    lines: list[str]
    received: Receiver
    pids: dict[str, int]
    scrape: str


@pytest.fixture(scope="module")
def run(sqlite_seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("run") / "data"
    shutil.copytree(sqlite_seed, folder)
    with receiving() as received:
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.address, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with serve(folder, WORKERS="1", JOB_WORKER="true", SEAL_SECONDS="0.2", **traces) as server:
            pids = _live(server)
            scrape = server.ask("GET", "/metrics")[2].decode()
        yield Run(server.log.read_text().splitlines(), received, pids, scrape)


def _live(server: Server) -> dict[str, int]:
    """A life with all that goes wrong in one."""
    token = server.login("alice")
    parent = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1"}
    assert server.ask("POST", PREDICT, {"inputs": IRIS}, token=token, headers=parent)[0] == 200
    assert server.ask("POST", PREDICT, {"instances": [IRIS] * 2}, token=token)[0] == 200
    _ask_with_canaries(server, token)
    for text in TORN:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(text.encode())
            raw.settimeout(10)
            while raw.recv(4096):
                pass
    [worker] = [p for p in server.workers() if "gunicorn" in _command(p)]
    pids = {"web": worker, "job": _job_worker(server)}
    os.kill(pids["job"], signal.SIGKILL)
    eventually(lambda: '"event": "worker ended"' in server.log.read_text(), 20)
    eventually(lambda: _job_worker(server) not in (0, pids["job"]), 30)
    eventually(lambda: server.log.read_text().count('"event":"worker"') == 2, 30)
    return pids


def _ask_with_canaries(server: Server, token: str) -> None:
    hurt = {"inputs": {"sepal_length": CANARY, CANARY: 1, "petal_width": 1e300}}
    assert server.ask("POST", PREDICT, hurt, token=token)[0] == 422
    assert server.ask("POST", f"{PREDICT}?q={CANARY}", {"inputs": IRIS}, token=token)[0] == 422
    assert server.ask("POST", PREDICT, {"inputs": IRIS}, token=CANARY)[0] == 401
    key = {"Idempotency-Key": CANARY, "User-Agent": CANARY, "traceparent": CANARY, "X-Request-Id": "a b"}
    assert (
        server.ask("POST", PREDICT, {"inputs": IRIS, "subject": CANARY}, token=token, headers=key)[0] == 200
    )
    assert server.ask("POST", "/api/v1/login", {"username": CANARY, "password": CANARY})[0] == 401
    assert server.ask("GET", f"/login?next=/{CANARY}")[0] == 200
    assert server.ask("GET", f"/{CANARY}")[0] == 404
    assert server.ask("POST", f"/api/v1/models/{CANARY}/predict", {"inputs": {}}, token=token)[0] == 404


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _job_worker(server: Server) -> int:
    """Its process id; 0 while there is none."""
    for keeper in server.workers():
        if "webapp.keeper" in _command(keeper):
            found = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
            return int(found[0]) if found else 0
    return 0


def test_every_line_of_every_process_is_an_object(run: Run) -> None:
    told: list[dict[str, Any]] = []
    for line in run.lines:
        told.append(json.loads(line))
        assert {"event", "timestamp", "level"} <= told[-1].keys(), line
    events = [line["event"] for line in told]
    assert not [event for event in events if event.startswith("Exception")]  # of gunicorn's hooks
    assert "Shutting down: Master" in events and "Invalid request from" in events
    assert [line["code"] for line in told if line["event"] == "worker ended"] == [-signal.SIGKILL]
    requests = [line for line in told if line["event"] == "request"]
    assert all(len(line["request_id"]) == 24 for line in requests)
    assert {"level", "method", "endpoint", "status", "ms", "user", "trace_id"} <= requests[0].keys()


def test_nothing_that_was_sent_is_in_a_line_or_leaves_with_a_trace(run: Run) -> None:
    assert [line for line in run.lines if CANARY in line] == []
    assert [body for body in run.received.bodies if CANARY.encode() in body] == []


def test_labels_of_metrics_are_not_what_somebody_sends(run: Run) -> None:
    assert CANARY not in run.scrape and 'kind="not-found"' in run.scrape


def test_a_request_is_a_span_of_the_callers_trace(run: Run) -> None:
    [span] = [s for _, s in run.received.spans if s.parent_span_id.hex() == CALLER]
    about = next(about for about, s in run.received.spans if s is span)
    assert (span.trace_id.hex(), span.name, span.kind) == (TRACE, "POST api.predict", 2)
    assert (about["service.name"], about["process.pid"]) == ("parecer", run.pids["web"])
    told = attributes(span)
    assert told["http.response.status_code"] == 200
    [line] = [json.loads(text) for text in run.lines if TRACE in text]
    assert (line["trace_id"], line["request_id"]) == (TRACE, told["parecer.request_id"])
    assert (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6 == pytest.approx(line["ms"], abs=0.01)


def test_every_request_has_a_span(run: Run) -> None:
    requests = [json.loads(line) for line in run.lines if '"event":"request"' in line]
    spans = {s.trace_id.hex() for _, s in run.received.spans if s.kind == 2}
    assert {line["trace_id"] for line in requests} == spans and len(requests) > 8
