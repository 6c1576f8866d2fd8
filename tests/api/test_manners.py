"""Headers that a prediction is asked with, and those that it is answered with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.hostile import row
from webapp.services.quota import Quota, network

Send = Callable[..., TestResponse]
PREDICT = "/api/v1/models/iris/predict"


@pytest.fixture
def send(client: FlaskClient, token: Callable[[str], str]) -> Send:
    bearer = {"Authorization": f"Bearer {token('alice')}"}

    def send(headers: dict[str, str] | None = None, path: str = PREDICT, **request: Any) -> TestResponse:
        known = {"data": row(), "content_type": "application/json", **request}
        return client.post(path, headers={**bearer, **(headers or {})}, **known)

    send()  # a caller met before takes the short lane
    return send


def test_the_stages_of_an_answer_are_told(send: Send) -> None:
    told = send().headers["Server-Timing"]
    assert re.fullmatch(r"read;dur=[\d.]+, check;dur=[\d.]+, predict;dur=[\d.]+, keep;dur=[\d.]+", told)


def test_what_is_left_of_the_quota_is_told(app: Flask, send: Send) -> None:
    app.extensions["desk"].quota = Quota(60, workers=2)
    first, second = send().headers, send().headers
    assert first["RateLimit-Policy"] == '"account";q=60;w=60'
    assert first["RateLimit"] == '"account";r=29;t=2'
    assert second["RateLimit"].startswith('"account";r=28;t=')


@pytest.mark.parametrize("name", ["account", "address"])
def test_who_asks_too_often_is_told_which_quota_is_used_up(app: Flask, send: Send, name: str) -> None:
    setattr(app.extensions["desk"], "quota" if name == "account" else "addresses", Quota(2, name=name))
    for _ in range(2):
        assert send().status_code == 200
    answer = send()
    wait = answer.headers["Retry-After"]
    assert (answer.status_code, answer.json["violated-policies"]) == (429, [name])  # type: ignore[index]
    assert answer.headers["RateLimit"] == f'"{name}";r=0;t={wait}'
    assert answer.headers["RateLimit-Policy"] == f'"{name}";q=2;w=60'


def test_the_quota_of_an_address_is_spent_by_strangers_too(app: Flask, client: FlaskClient) -> None:
    app.extensions["desk"].addresses = Quota(2, name="address")
    assert [client.get("/api/v1/models").status_code for _ in range(3)] == [401, 401, 429]
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/api/v1/models", environ_overrides=elsewhere).status_code == 401
    assert client.get("/livez").status_code == 200


def test_a_household_of_ipv6_is_one_address() -> None:
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2:ffff::1") == "2001:db8:1:2::"
    assert network("::ffff:192.0.2.7") == "192.0.2.7"
    assert network("192.0.2.7") == "192.0.2.7"
    assert network("fe80::1%eth0") == "fe80::"
    assert network("no:address") == "no:address"


def test_buckets_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.services.quota.MOST", 10)
    quota = Quota(600)
    for n in range(100):
        quota.spend(n)
    assert len(quota._buckets) <= 10


TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("key", [None, "way-of-flask"])
def test_the_callers_ids_are_kept_with_the_record(
    client: FlaskClient, send: Send, api: Callable[[str], Any], key: str | None
) -> None:
    ids = {"X-Request-Id": "order-17.b", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    answer = send(ids | ({"Idempotency-Key": key} if key else {}))
    assert answer.headers["X-Request-Id"] != "order-17.b"
    kept = api("alice")("GET", f"/predictions/{answer.json['id']}")[1]  # type: ignore[index]
    assert (kept["client_request_id"], kept["trace_id"]) == ("order-17.b", TRACE)
    assert kept["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("X-Request-Id", "a b"),
        ("X-Request-Id", "x" * 65),
        ("X-Request-Id", "é"),
        ("traceparent", f"00-{'0' * 32}-{PARENT}-01"),
        ("traceparent", f"00-{TRACE}-{'0' * 16}-01"),
        ("traceparent", f"ff-{TRACE}-{PARENT}-01"),
        ("traceparent", f"00-{TRACE}-{PARENT}-01-more"),
        ("traceparent", f"00-{TRACE.upper()}-{PARENT}-01"),
        ("traceparent", "nonsense"),
    ],
)
def test_what_is_no_id_is_passed_over(send: Send, api: Callable[[str], Any], header: str, text: str) -> None:
    answer = send({header: text})
    kept = api("alice")("GET", f"/predictions/{answer.json['id']}")[1]  # type: ignore[index]
    assert not {"client_request_id", "trace_id"} & kept.keys()


def test_a_later_version_of_traceparent_may_say_more(send: Send, api: Callable[[str], Any]) -> None:
    answer = send({"traceparent": f"cc-{TRACE}-{PARENT}-01-what-the-future-brings"})
    kept = api("alice")("GET", f"/predictions/{answer.json['id']}")[1]  # type: ignore[index]
    assert kept["trace_id"] == TRACE


def test_a_replayed_answer_says_so_and_is_otherwise_the_same(send: Send) -> None:
    first, again = (send({"Idempotency-Key": "once"}) for _ in range(2))
    assert first.data == again.data
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_key_that_was_used_with_another_request_is_told_apart(send: Send) -> None:
    send({"Idempotency-Key": "once"})
    answer = send({"Idempotency-Key": "once"}, data=row(petal_width=0.4))
    assert (answer.status_code, answer.json["type"]) == (422, "/api/v1/docs/errors#key-reused")  # type: ignore[index]


def test_nothing_is_kept_of_a_request_that_was_refused(send: Send) -> None:
    assert send({"Idempotency-Key": "mended"}, data=row(petal_width="wide")).status_code == 422
    assert send({"Idempotency-Key": "mended"}).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_packed_body_is_no_json(send: Send, encoding: str) -> None:
    answer = send({"Content-Encoding": encoding})
    assert (answer.status_code, "without a Content-Encoding" in answer.text) == (415, True)
