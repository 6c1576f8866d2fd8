"""The `:predict` addresses of TensorFlow Serving and KServe's version 1, over the demo models."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.hostile import BODIES
from webapp.services import model_access

FLOWER = [5.1, 3.5, 1.4, 0.2]
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROW = dict(zip(NAMES, FLOWER, strict=True))
Ask = Callable[..., TestResponse]


@pytest.fixture
def ask(client: FlaskClient, token: Callable[[str], str]) -> Ask:
    bearer = {"Authorization": f"Bearer {token('alice')}"}

    def ask(body: Any, path: str = "/v1/models/iris:predict", **headers: str) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(path, data=data, headers=bearer | headers)

    return ask


def error(answer: TestResponse) -> str:
    assert list(answer.json) == ["error"]  # type: ignore[arg-type]
    return str(answer.json["error"])  # type: ignore[index]


@pytest.mark.parametrize("rows", [[FLOWER, FLOWER], [ROW, ROW], [ROW, FLOWER]])
def test_rows_are_answered_as_predictions(ask: Ask, rows: list[Any], api: Callable[[str], Any]) -> None:
    answer = ask({"instances": rows, "signature_name": "serving_default", "parameters": {"subject": "p-1"}})
    told: Any = answer.json
    assert (told["predictions"], told["model_version"]) == (["setosa", "setosa"], "1")
    kept = api("alice")("GET", f"/predictions/{told['prediction_ids'][1]}")[1]
    assert (kept["channel"], kept["subject"], kept["inputs"]) == ("wire", "p-1", ROW)


@pytest.mark.parametrize(
    "columns", [{n: [v, v] for n, v in ROW.items()}, {n: [[v], [v]] for n, v in ROW.items()}, [FLOWER] * 2]
)
def test_columns_are_answered_as_outputs(ask: Ask, columns: Any) -> None:
    assert ask({"inputs": columns}).json["outputs"] == ["setosa", "setosa"]  # type: ignore[index]


def test_a_label_is_an_alias(ask: Ask) -> None:
    for path in ("/v1/models/iris/versions/1:predict", "/v1/models/iris/labels/live:predict"):
        assert ask({"instances": [FLOWER]}, path).json["predictions"] == ["setosa"]  # type: ignore[index]
    for path in ("/v1/models/iris/versions/9:predict", "/v1/models/iris/labels/gone:predict"):
        assert "has no version" in error(ask({"instances": [FLOWER]}, path))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"instances": [[NaN, 3.5, 1.4, 0.2]]}', "row 0, sepal_length: Sepal length is required"),
        (b'{"instances": [[Infinity, 3.5, 1.4, 0.2]]}', "must be a finite number"),
        ({"instances": [FLOWER], "inputs": [FLOWER]}, "must have either instances or inputs"),
        ({}, "must have either instances or inputs"),
        ({"instances": [{**ROW, "row_id": 5}]}, "row 0, row_id: “row_id” is not a feature"),
        ({"instances": [{**ROW, "petal_width": {"b64": "AAAA"}}]}, "must be a number, not “AAAA”"),
        ({"instances": FLOWER}, "row 0: must be a list of 4 values"),
        ({"instances": ROW}, "the rows must be a list"),
        ({"instances": [FLOWER], "parameters": {"subject": 5}}, "parameters.subject: must be a string"),
    ],
)
def test_a_body_that_cannot_be_used_is_told_why(ask: Ask, body: Any, told: str) -> None:
    answer = ask(body)
    assert (answer.status_code, told in error(answer)) == (400, True), answer.text


def test_a_status_is_told_in_the_words_of_both(client: FlaskClient, token: Any, app: Flask) -> None:
    bearer = {"Authorization": f"Bearer {token('alice')}"}
    assert "iris" in client.get("/v1/models", headers=bearer).json["models"]  # type: ignore[index]
    for path in ("/v1/models/iris", "/v1/models/iris/versions/1", "/v1/models/iris/labels/live"):
        told: Any = client.get(path, headers=bearer).json
        assert (told["name"], told["ready"]) == ("iris", True)
        assert told["model_version_status"] == [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    (app.extensions["desk"].store.root / "iris" / "1" / "manifest.json").write_text("{}")
    told = client.get("/v1/models/iris", headers=bearer).json
    assert (told["ready"], told["model_version_status"][0]["state"]) == (False, "END")


def test_who_may_not_is_told_in_the_words_of_the_protocol(client: FlaskClient, token: Any, ask: Ask) -> None:
    path = "/v1/models/iris:predict"
    nobody = client.post(path, json={"instances": [FLOWER]})
    assert (nobody.status_code, error(nobody) != "") == (401, True)
    carol = {"Authorization": f"Bearer {token('carol')}"}
    assert client.post(path, json={"instances": [FLOWER]}, headers=carol).status_code == 403
    assert ask({"instances": [FLOWER]}, "/v1/models/absent:predict").status_code == 404
    model_access.change("iris", restricted=True, people=["bob"], actor=None)
    assert ask({"instances": [FLOWER]}).status_code == 404
    alice = {"Authorization": f"Bearer {token('alice')}"}
    assert client.get("/v1/models/iris", headers=alice).status_code == 404


def test_a_request_sent_again_is_answered_the_same(ask: Ask) -> None:
    first, again = (ask({"instances": [FLOWER]}, **{"Idempotency-Key": "once"}) for _ in range(2))
    assert first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"


def test_no_hostile_body_is_our_fault(ask: Ask) -> None:
    answers = {name: ask(body) for name, body in BODIES.items()}
    assert {name: a.text for name, a in answers.items() if a.status_code >= 500} == {}
