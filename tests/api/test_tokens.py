"""Signing programs in and out over the API."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import password
from webapp.services import users


def login(client: FlaskClient, name: str = "alice") -> dict[str, Any]:
    answer = client.post("/api/v1/login", json={"username": name, "password": password(name)})
    assert answer.status_code == 200
    return dict(answer.json)


def show(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status(client: FlaskClient, token: str) -> int:
    return client.get("/api/v1/models", headers=show(token)).status_code


def test_a_login_gives_a_pair_of_tokens(client: FlaskClient) -> None:
    pair = login(client)
    assert pair.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 900)
    assert status(client, pair["access_token"]) == 200


def test_a_wrong_password_is_the_same_problem_for_every_name(client: FlaskClient) -> None:
    users.disable("bob", None)
    told = []
    for name in ("alice", "bob", "nobody"):
        answer = client.post("/api/v1/login", json={"username": name, "password": "wrong"})
        told.append((answer.status_code, {**answer.json, "instance": ""}))
    assert told[0][0] == 401
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/username"),
        ({"username": "alice"}, "#/password"),
        ({"username": 1, "password": "x"}, "#/username"),
        ({"username": "alice", "password": ["x"]}, "#/password"),
        ({"username": "alice", "password": "x", "role": "admin"}, "#"),
    ],
)
def test_a_login_of_another_shape_is_pointed_at(client: FlaskClient, body: Any, pointer: str) -> None:
    answer = client.post("/api/v1/login", json=body)
    assert answer.status_code == 422
    assert pointer in [e["pointer"] for e in answer.json["errors"]]


def test_a_one_time_password_is_to_be_changed_first(client: FlaskClient) -> None:
    given = users.reset_password("alice", None)
    answer = client.post("/api/v1/login", json={"username": "alice", "password": given})
    assert answer.status_code == 403
    assert "/account" in answer.json["detail"]


@pytest.mark.parametrize("place", ["header", "body"])
def test_a_refresh_token_gives_the_next_pair(client: FlaskClient, place: str) -> None:
    first = login(client)["refresh_token"]
    sent = {"headers": show(first)} if place == "header" else {"json": {"refresh_token": first}}
    answer = client.post("/api/v1/refresh", **sent)
    assert answer.status_code == 200
    assert answer.json["refresh_token"] != first
    assert status(client, answer.json["access_token"]) == 200


def test_a_stolen_refresh_token_ends_the_whole_family(client: FlaskClient) -> None:
    pair = login(client)
    second = client.post("/api/v1/refresh", headers=show(pair["refresh_token"])).json
    assert client.post("/api/v1/refresh", headers=show(pair["refresh_token"])).status_code == 401
    assert status(client, pair["access_token"]) == status(client, second["access_token"]) == 401
    assert client.post("/api/v1/refresh", headers=show(second["refresh_token"])).status_code == 401


def test_a_logout_ends_both_tokens_and_leaves_other_sign_ins(client: FlaskClient) -> None:
    pair, other = login(client), login(client)
    assert client.post("/api/v1/logout", headers=show(pair["access_token"])).status_code == 204
    assert status(client, pair["access_token"]) == 401
    assert client.post("/api/v1/refresh", headers=show(pair["refresh_token"])).status_code == 401
    assert status(client, other["access_token"]) == 200


def test_too_many_wrong_passwords_say_when_to_come_back(app: Flask, client: FlaskClient) -> None:
    for _ in range(10):
        client.post("/api/v1/login", json={"username": "mallory", "password": "x"})
    answer = client.post("/api/v1/login", json={"username": "mallory", "password": "x"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900


def test_a_stranger_far_away_does_not_lock_an_account(app: Flask, client: FlaskClient) -> None:
    wrong, right = ({"username": "alice", "password": p} for p in ("x", password("alice")))
    far = {"REMOTE_ADDR": "192.0.2.1"}
    for _ in range(11):
        answer = client.post("/api/v1/login", json=wrong, environ_base=far)
    assert answer.status_code == 429
    assert client.post("/api/v1/login", json=right, environ_base=far).status_code == 429
    assert client.post("/api/v1/login", json=right).status_code == 200


def test_no_answer_to_a_login_holds_the_password(client: FlaskClient) -> None:
    for body in (
        {"username": "alice", "password": "canary-7391"},
        {"username": "canary-7391", "password": 1},
    ):
        assert "canary-7391" not in client.post("/api/v1/login", json=body).text


def test_what_anybody_may_send_is_small(client: FlaskClient) -> None:
    body = b'{"username": "alice", "password": "' + b"x" * 70_000 + b'"}'
    for stream in ({}, {"environ_overrides": {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}}):
        answer = client.post("/api/v1/login", data=body, content_type="application/json", **stream)
        assert answer.status_code == 413
