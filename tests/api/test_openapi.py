"""The description of the API: valid, complete, and of this host alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from tests.conftest import MODELS, ApiClient
from webapp.services import users

Api = Callable[[str], ApiClient]
ACCEPTED = ("x", "case 7", "ção 💧", "שלום", "a\u200fb", "a\xa0b", "x" * 200, "💧" * 200)
TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
REFUSED = (
    *("", " ", " x", "x ", "x\xa0", "\u3000x", "x\u2028", "x\n", "x" * 201),
    *(f"a{chr(sign)}b" for sign in (0, 0x1F, 0x7F, 0x9F, *TURNING)),
)


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    return api("alice")("GET", "/openapi.json")[1]


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_published_model_has_its_own_request(document: dict[str, Any]) -> None:
    for name in MODELS:
        operation = document["paths"][f"/models/{name}/predict"]["post"]
        one = operation["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0]
        row = one["properties"]["inputs"]
        assert row["additionalProperties"] is False
        assert len(row["properties"]) >= 4


def test_strangers_see_no_model_in_it(client: FlaskClient) -> None:
    paths = client.get("/api/v1/openapi.json").json["paths"]
    assert not any(name in path for path in paths for name in MODELS)


def test_models_are_shown_only_once_the_password_is_ones_own(app: Flask) -> None:
    given, browser = users.reset_password("alice", None), app.test_client()
    csrf = browser.get("/login").text.split('name="csrf_token" value="')[1].split('"')[0]
    browser.post("/login", data={"csrf_token": csrf, "username": "alice", "password": given})
    assert browser.get("/account").status_code == 200
    assert not any("iris" in path for path in browser.get("/api/v1/openapi.json").json["paths"])


def test_the_described_subject_is_the_accepted_one(api: Api, document: dict[str, Any]) -> None:
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    described = jsonschema_rs.validator_for(body["oneOf"][0]["properties"]["subject"])
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    alice = api("alice")
    for subject in (*ACCEPTED, *REFUSED):
        status, _ = alice("POST", "/models/iris/predict", {"inputs": row, "subject": subject})
        assert (status == 200, described.is_valid(subject)) == (subject in ACCEPTED,) * 2, repr(subject)


def test_every_route_is_described(app: Flask, document: dict[str, Any]) -> None:
    described = {re.sub(r"\{\w+\}", "{}", path) for path in document["paths"]}
    rules = [r for r in app.url_map.iter_rules() if r.rule.startswith("/api/v1/")]
    routes = {re.sub(r"<\w+>", "{}", r.rule.removeprefix("/api/v1")) for r in rules}
    assert {r for r in routes if not r.startswith("/docs") and r != "/openapi.json"} <= described


def test_the_docs_page_asks_no_other_host(client: FlaskClient) -> None:
    page = client.get("/api/v1/docs").text
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        with client.get(asset) as answer:
            assert answer.status_code == 200, asset
