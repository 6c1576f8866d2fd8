"""Who is let in under load: callers in turn, and nobody who would wait for long."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import gevent
import pytest
from flask import Flask

from webapp import admission
from webapp.admission import Admission

PREDICT = "/api/v1/models/iris/predict"


class Behind:
    """Takes `seconds` of the loop for each request, and remembers whose they were."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.served: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            pass
        self.served.append(environ["REMOTE_ADDR"])
        start_response("200 OK", [])
        return [b"{}"]


def ask(gate: Admission, address: str, path: str = PREDICT) -> tuple[int, dict[str, str], bytes]:
    seen: list[Any] = []
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "REMOTE_ADDR": address, "wsgi.url_scheme": "http",
    }  # fmt: skip
    body = b"".join(gate(environ, lambda status, headers: seen.append((status, dict(headers)))))  # type: ignore[arg-type,return-value]
    [(status, headers)] = seen
    return int(status[:3]), headers, body


def crowd(gate: Admission, *asking: tuple[str, str]) -> list[tuple[int, dict[str, str], bytes]]:
    """All at once: (address, path) each."""
    at_once = [gevent.spawn(ask, gate, *one) for one in asking]
    gevent.joinall(at_once, timeout=60, raise_error=True)
    return [one.value for one in at_once]


@pytest.fixture
def gate(app: Flask) -> Admission:
    made = Admission(app, 0.2)
    made._behind = Behind(0.03)
    return made


def served(gate: Admission) -> list[str]:
    return gate._behind.served  # type: ignore[attr-defined,no-any-return]


def test_who_would_wait_for_long_is_told_when_to_come_again(gate: Admission) -> None:
    for _ in range(3):  # the first crowd waits in any case: nobody knows yet how long that takes
        answers = crowd(gate, *[("a", PREDICT)] * 60)
    statuses = Counter(status for status, _, _ in answers)
    assert set(statuses) == {200, 503} and statuses[503] > 30
    _, headers, body = next(answer for answer in answers if answer[0] == 503)
    told = json.loads(body)
    assert (told["type"], told["status"]) == ("/api/v1/docs/errors#overloaded", 503)
    assert told["instance"].endswith(headers["X-Request-Id"]) and len(headers["X-Request-Id"]) == 24
    assert headers["Content-Type"] == "application/problem+json" and int(headers["Content-Length"]) == len(
        body
    )
    assert {a[1]["Retry-After"] for a in answers if a[0] == 503} <= {"1", "2", "3"}


def test_one_who_asks_much_does_not_keep_others_waiting(gate: Admission) -> None:
    answers = crowd(gate, *[("much", PREDICT)] * 40, *[("little", PREDICT)] * 2)
    assert [status for status, _, _ in answers[-2:]] == [200, 200]
    assert max(n for n, who in enumerate(served(gate)) if who == "little") < 12


def test_probes_and_pages_do_not_wait(gate: Admission) -> None:
    crowd(
        gate,
        *[("a", PREDICT)] * 20,
        ("probe", "/livez"),
        ("page", "/login"),
        ("k8s", "/v2/health/live"),
        ("mlflow", "/ping"),
    )
    assert {"probe", "page", "k8s", "mlflow"} <= set(served(gate)[:10])


def test_without_pressure_everybody_goes_straight_in(
    gate: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PROMPT", 60)
    monkeypatch.setattr(gate, "_wait", None)
    assert [status for status, _, _ in crowd(gate, *[("a", PREDICT)] * 20)] == [200] * 20


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/v2/models/iris/infer", {"error"}),
        ("/v1/models/iris:predict", {"error"}),
        ("/invocations", {"error_code", "message"}),
        ("/models/iris/1/invocations", {"error_code", "message"}),
    ],
)
def test_each_protocol_is_refused_in_its_own_words(
    gate: Admission, monkeypatch: pytest.MonkeyPatch, path: str, members: set[str]
) -> None:
    monkeypatch.setattr(admission, "PROMPT", -60)
    monkeypatch.setattr(gate, "_wait", lambda _environ: False)
    status, headers, body = ask(gate, "a", path)
    assert (
        status == 503 and headers["Content-Type"] == "application/json" and set(json.loads(body)) == members
    )


def test_hooks_of_the_server_find_the_application_behind_it(app: Flask, gate: Admission) -> None:
    assert gate.extensions is app.extensions
