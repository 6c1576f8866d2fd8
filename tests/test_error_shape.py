"""One shape for every error of the API; that of every route is looked at in api/test_conformance.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config import ROOT
from webapp.doors import METHOD, STATUS, UNEXPECTED, problem_response
from webapp.errors import AppError, InvalidInput, Problem, TooMany

MEMBERS = {"type", "title", "status", "detail", "instance"}
LEAKS = re.compile(r"Traceback|sqlalchemy|sqlite|psycopg|/root|\.py\b|SELECT ", re.IGNORECASE)


def is_problem(answer: TestResponse) -> bool:
    body = answer.get_json(force=True)
    return (
        answer.mimetype == "application/problem+json"
        and body.keys() - {"errors"} == MEMBERS
        and body["status"] == answer.status_code
        and body["instance"].endswith(answer.headers["X-Request-Id"])
        and not LEAKS.search(answer.text)
    )


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/api/v1/models")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_no_token_asks_for_a_bearer(client: FlaskClient) -> None:
    answer = client.post("/api/v1/predict", json={"inputs": {}})
    assert (answer.status_code, is_problem(answer)) == (401, True)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_unknown_address_is_a_problem(client: FlaskClient) -> None:
    answer = client.get("/api/v1/nothing/here")
    assert (answer.status_code, is_problem(answer)) == (404, True)


def test_the_unexpected_says_nothing_of_the_inside(
    app: Flask, client: FlaskClient, token: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("/root/secret.py SELECT password")

    bearer = {"Authorization": f"Bearer {token('alice')}"}
    monkeypatch.setattr(app.extensions["desk"].resolver, "find", break_down)
    answer = client.post("/api/v1/predict", json={"inputs": {}}, headers=bearer)
    assert (answer.status_code, is_problem(answer)) == (500, True)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("limit=0", "limit: must be a whole number from 1 to 100"),
        ("offset=x", "offset: must be a whole number from 0 to 1000000"),
        ("from=soon", "from: must be a date or time such as"),
        ("limitt=5", "limitt: is not a filter"),
    ],
)
def test_a_query_that_is_refused_names_the_word(
    client: FlaskClient, token: Callable[[str], str], query: str, told: str
) -> None:
    bearer = {"Authorization": f"Bearer {token('alice')}"}
    answer = client.get(f"/api/v1/predictions?{query}", headers=bearer)
    assert answer.status_code == 422 and answer.json["detail"].startswith(told)


def test_a_foreign_host_is_refused(client: FlaskClient) -> None:
    answer = client.get("/api/v1/models", headers={"Host": "evil.example"})
    assert (answer.status_code, is_problem(answer)) == (400, True)


@pytest.mark.parametrize("host", ["a" * 64, "a..b", ".", "[::1"])
@pytest.mark.parametrize("address", ["/", "/livez", "/api/v1/models"])
def test_a_host_that_is_no_name_is_refused(client: FlaskClient, host: str, address: str) -> None:
    answer = client.get(address, headers={"Host": host})
    assert answer.status_code == 400 and not LEAKS.search(answer.text)


@pytest.mark.parametrize("kind", STATUS)
def test_errors_and_retry_after_come_with_what_the_reference_names(app: Flask, kind: type[AppError]) -> None:
    given: dict[type[AppError], tuple[Any, ...]] = {
        InvalidInput: ([Problem("#/x", "is bad")],),
        TooMany: ("too many", 7),
    }
    with app.test_request_context():
        answer = problem_response(kind(*given.get(kind, ("bad",))))
    text = " ".join((ROOT / "docs/reference/api.md").read_text().split())
    listed, rest = text.partition("it comes with ")[2].split(", and is left out", 1)
    waits = rest.partition(" the whole. ")[2].partition(" bring the header")[0]
    slug = f"`{STATUS[kind].slug}`"
    assert ("errors" in answer.get_json(force=True)) == (slug in listed)
    assert ("Retry-After" in answer.headers) == (slug in waits)


def test_every_error_type_is_explained(client: FlaskClient) -> None:
    page = client.get("/api/v1/docs/errors").text
    assert all(f'id="{status.slug}"' in page for status in (*STATUS.values(), METHOD, UNEXPECTED))
