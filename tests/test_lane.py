"""The short lane answers what the long way answers, byte for byte but for ids and times."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.hostile import BODIES, row
from webapp.db import Prediction, User
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, bump
from webapp.lane import Lane
from webapp.services.quota import Quota

PATH = "/api/v1/models/iris/predict"
VARIES = re.compile(r"pred_[0-9a-f]{44}|request:[0-9a-f]{24}|\"(?:latency_ms|created_at)\":[^,}]+")
VARYING = ("X-Request-Id", "Content-Length", "Idempotency-Replayed")
FIGURES = re.compile(r"=[0-9.e-]+")


class Ways:
    """Sends a request down both ways; `short` counts those that the lane kept."""

    def __init__(self, app: Flask, token: str) -> None:
        self.lane: Any = app.wsgi_app
        assert isinstance(self.lane, Lane)
        self.app, self.token, self.short = app, token, 0
        self.long_way = self.lane._long_way
        self.lane._long_way = self._counted
        self._went_long = False

    def _counted(self, environ: Any, start_response: Any) -> Any:
        self._went_long = True
        return self.long_way(environ, start_response)

    def send(self, client: FlaskClient, way: str, **request: Any) -> TestResponse:
        self.app.wsgi_app = self.lane if way == "short" else self.long_way
        self._went_long = False
        bearer = {"Authorization": f"Bearer {self.token}", **request.pop("headers", {})}
        known = {
            "method": "POST",
            "path": PATH,
            "content_type": "application/json",
            "headers": bearer,
            **request,
        }
        answer = client.open(known.pop("path"), **known)
        self.short += way == "short" and not self._went_long
        return answer

    def both(self, client: FlaskClient, **request: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return seen(self.send(client, "short", **request)), seen(self.send(client, "long", **request))


def seen(answer: TestResponse) -> tuple[Any, ...]:
    headers = {k: v for k, v in answer.headers.items() if k not in VARYING}
    for told in ("RateLimit", "Server-Timing"):
        headers[told] = FIGURES.sub("=", headers.get(told, ""))
    return answer.status_code, headers, VARIES.sub("", answer.data.decode("latin-1"))


@pytest.fixture
def ways(app: Flask, token: Callable[[str], str]) -> Ways:
    found = Ways(app, token("alice"))
    found.send(app.test_client(), "long", data=row())  # a caller met before, a model loaded
    return found


def test_a_good_row_takes_the_short_lane_to_the_same_answer(client: FlaskClient, ways: Ways) -> None:
    short, long = ways.both(client, data=row())
    assert short == long
    assert short[0] == 200
    assert ways.short == 1
    session().rollback()
    kept = session().query(Prediction).all()
    assert len({(p.label, p.inputs, p.output, p.channel, p.user_id) for p in kept}) == 1
    assert len(kept) == 3


def test_hostile_bodies_get_the_same_refusal_either_way(client: FlaskClient, ways: Ways) -> None:
    differ = [name for name, body in BODIES.items() if len(set(map(repr, ways.both(client, data=body)))) > 1]
    assert differ == []
    assert ways.short > 50


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "GET"},
        {"method": "PUT"},
        {"path": "/api/v1/models//predict"},
        {"path": "/api/v1/models/a/b/predict"},
        {"path": "/api/v1/models/nobody/predict"},
        {"path": "/api/v1/models/%2e%2e/predict"},
        {"path": "/api/v1/predict"},
        {"content_type": "text/plain"},
        {"content_type": "application/json; charset=utf-8"},
        {"headers": {"Host": "evil.example"}},
        {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"Authorization": "bearer "}},
        {"headers": {"Idempotency-Key": "k"}},
        {"headers": {"Content-Length": "99999999"}},
        {"headers": {"Content-Length": "nine"}},
        {"headers": {"Content-Length": "9999"}},
        {"base_url": "https://localhost"},
        {"query_string": "version=99"},
    ],
    ids=str,
)
def test_whatever_is_unusual_is_answered_alike(
    client: FlaskClient, ways: Ways, request_: dict[str, Any]
) -> None:
    short, long = ways.both(client, **{"data": row(), **request_})
    assert short == long


def test_a_revoked_caller_is_stopped_in_the_lane(client: FlaskClient, ways: Ways) -> None:
    with transaction() as s:
        s.query(User).filter_by(username="alice").update({"disabled_us": 1})
        bump(s, ACCESS)
    assert ways.send(client, "short", data=row()).status_code == 401


def test_the_quota_holds_in_the_lane(app: Flask, client: FlaskClient, ways: Ways) -> None:
    app.extensions["desk"].quota = Quota(1)
    assert ways.send(client, "short", data=row()).status_code == 200
    refused = ways.send(client, "short", data=row())
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)


def test_the_unexpected_says_nothing_of_the_inside(
    app: Flask, client: FlaskClient, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("SELECT secret")

    monkeypatch.setattr(app.extensions["desk"].resolver, "find", break_down)
    short, long = ways.both(client, data=row())
    assert short == long
    assert short[0] == 500
    assert "secret" not in short[2]


def test_a_role_that_may_not_predict_is_told_so(
    app: Flask, client: FlaskClient, token: Callable[[str], str]
) -> None:
    carol = Ways(app, token("carol"))
    assert carol.send(client, "long", data=row()).status_code == 403
    short, long = carol.both(client, data=row())
    assert (short, carol.short) == (long, 1)


V2 = "/v2/models/iris/infer"
TENSOR = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}
BYTES = struct.pack("<4d", *TENSOR["data"])  # type: ignore[misc]
FRAMED = {**TENSOR, "data": None, "parameters": {"binary_data_size": len(BYTES)}}
HEAD = json.dumps({"id": "b", "inputs": [FRAMED], "parameters": {"binary_data_output": True}}).encode()


@pytest.mark.parametrize(
    ("body", "headers", "short"),
    [
        ({"id": "a", "inputs": [TENSOR]}, {}, True),
        ({"id": "a", "inputs": [TENSOR], "outputs": [{"name": "label"}]}, {}, True),
        ({"id": "a", "inputs": [{**TENSOR, "shape": [4]}]}, {}, True),
        ({"id": "a", "inputs": [TENSOR], "outputs": [{"name": "absent"}]}, {}, True),
        ({"id": 5, "inputs": [TENSOR]}, {}, False),
        ({"id": "a", "inputs": [TENSOR]}, {"Idempotency-Key": "k"}, False),
        ({"id": "a", "inputs": [TENSOR]}, {"X-Request-Id": "mine"}, True),
        (b"[]", {}, False),
        (HEAD + BYTES, {"Inference-Header-Content-Length": str(len(HEAD))}, True),
        (HEAD + BYTES, {"Inference-Header-Content-Length": "no"}, False),
    ],
)
def test_the_open_inference_protocol_is_answered_alike(
    client: FlaskClient, ways: Ways, body: Any, headers: dict[str, str], short: bool
) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = {"path": V2, "data": data, "headers": headers, "content_type": None}
    one, other = ways.both(client, **request)
    assert one == other
    assert ways.short == short
