"""A listener that asks for no token answers in one account's name, to programs, over the wire protocols alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from webapp.db import User
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, bump

BOUND = "127.0.0.1:5001"
BODY = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}]}


class Listener:
    """What a request says of the socket that it came through."""

    def __init__(self, place: Any) -> None:
        self.place = place

    def getsockname(self) -> Any:
        return self.place


@pytest.fixture
def private(app: Flask, client: FlaskClient) -> Callable[..., TestResponse]:
    app.config.update(PRIVATE_BIND=BOUND, PRIVATE_ACCOUNT="alice")

    def send(
        path: str = "/v2/models/iris/infer", place: Any = ("127.0.0.1", 5001), **request: Any
    ) -> TestResponse:
        known = {"method": "POST", "json": BODY, "environ_overrides": {"gunicorn.socket": Listener(place)}}
        return client.open(path, **(known | request))

    return send


def test_it_answers_in_the_name_of_its_account(
    private: Callable[..., TestResponse], api: Callable[[str], Any]
) -> None:
    answer = private()
    assert answer.status_code == 200, answer.text
    kept = api("alice")("GET", f"/predictions/{answer.json['parameters']['prediction_id']}")[1]  # type: ignore[index]
    assert (kept["user"], kept["channel"]) == ("alice", "wire")


@pytest.mark.parametrize(
    "place", [("127.0.0.1", 5000), ("10.0.0.1", 5001), "/run/parecer.sock", ("::1", 5001, 0, 0)]
)
def test_no_other_listener_does(private: Callable[..., TestResponse], place: Any) -> None:
    assert private(place=place).status_code == 401


def test_headers_do_not_make_it_one(private: Callable[..., TestResponse]) -> None:
    headers = {"X-Forwarded-Host": BOUND, "X-Forwarded-Port": "5001", "Forwarded": f"host={BOUND}"}
    assert private(place=("127.0.0.1", 5000), headers=headers).status_code == 401


@pytest.mark.parametrize("bound", ["unix:/run/parecer.sock", "[::1]:5001"])
def test_it_may_be_a_socket_in_the_file_system_or_of_ipv6(
    app: Flask, private: Callable[..., TestResponse], bound: str
) -> None:
    app.config["PRIVATE_BIND"] = bound
    place = "/run/parecer.sock" if bound.startswith("unix") else ("::1", 5001, 0, 0)
    assert private(place=place).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/models"),
        ("POST", "/api/v1/models/iris/predict"),
        ("GET", "/api/v1/predictions"),
        ("GET", "/predictions"),
        ("GET", "/account"),
    ],
)
def test_everything_else_wants_a_sign_in_there_too(
    private: Callable[..., TestResponse], method: str, path: str
) -> None:
    assert private(path, method=method).status_code in (302, 401)


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site"])
def test_a_page_cannot_ask_through_somebodys_browser(
    private: Callable[..., TestResponse], header: str
) -> None:
    assert private(headers={header: "http://evil.example"}).status_code == 403


def test_a_token_that_is_shown_counts(private: Callable[..., TestResponse]) -> None:
    assert private(headers={"Authorization": "Bearer nonsense"}).status_code == 401


@pytest.mark.parametrize("name", ["carol", "dave", "nobody"])
def test_the_account_has_to_be_one_that_may(
    app: Flask, private: Callable[..., TestResponse], name: str
) -> None:
    app.config["PRIVATE_ACCOUNT"] = name
    answer = private()
    assert answer.status_code == 403
    assert name in answer.json["error"]  # type: ignore[index]


def test_it_ends_with_the_account(private: Callable[..., TestResponse]) -> None:
    assert private().status_code == 200
    with transaction() as s:
        s.query(User).filter_by(username="alice").update({"disabled_us": 1})
        bump(s, ACCESS)
    session().rollback()
    assert private().status_code == 403
