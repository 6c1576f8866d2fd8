"""The index of the models, and how much they were asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.hostile import BODIES
from webapp.services import model_access

FLOWER = {"name": "x", "shape": [2, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2] * 2}
Bearer = Callable[[str], dict[str, str]]


@pytest.fixture
def bearer(token: Callable[[str], str]) -> Bearer:
    return lambda name: {"Authorization": f"Bearer {token(name)}"}


def index(client: FlaskClient, headers: dict[str, str], body: bytes = b"") -> dict[str, Any]:
    answer = client.post("/v2/repository/index", data=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json}  # type: ignore[union-attr]


def test_the_index_names_every_version_that_one_may_use(
    app: Flask, client: FlaskClient, bearer: Bearer
) -> None:
    alice = bearer("alice")
    assert index(client, alice)["iris"] == {"name": "iris", "version": "1", "state": "READY", "reason": ""}
    (app.extensions["desk"].store.root / "iris" / "1" / "manifest.json").write_text("{}")
    told = index(client, alice, b"{}")["iris"]
    assert told["state"] == "UNAVAILABLE"
    assert "not stored as it was published" in told["reason"]
    assert "iris" not in index(client, alice, b'{"ready": true}')
    model_access.change("diabetes", restricted=True, people=["bob"], actor=None)
    assert "diabetes" not in index(client, alice)
    assert "diabetes" in index(client, bearer("bob"))


def test_statistics_count_rows(client: FlaskClient, bearer: Bearer) -> None:
    alice = bearer("alice")
    for _ in range(2):
        assert (
            client.post("/v2/models/iris/infer", json={"inputs": [FLOWER]}, headers=alice).status_code == 200
        )
    for path in ("/v2/models/iris/stats", "/v2/models/iris/versions/1/stats"):
        [told] = client.get(path, headers=alice).json["model_stats"]  # type: ignore[index]
        assert (told["name"], told["version"]) == ("iris", "1")
        assert told["inference_count"] == told["execution_count"] == 4
        success = told["inference_stats"]["success"]
        assert success["count"] == 4
        assert success["ns"] > 0
        assert told["last_inference"] % 60_000 == 0 < told["last_inference"]
    [told] = client.get("/v2/models/iris/stats", headers=bearer("bob")).json["model_stats"]  # type: ignore[index]
    assert (told["inference_count"], told["last_inference"]) == (0, 0)
    assert client.get("/v2/models/iris/versions/9/stats", headers=alice).status_code == 404


def test_both_need_a_token(client: FlaskClient) -> None:
    assert client.post("/v2/repository/index").status_code == 401
    assert client.get("/v2/models/iris/stats").status_code == 401


def test_no_hostile_body_is_our_fault(client: FlaskClient, bearer: Bearer) -> None:
    alice = bearer("alice")
    answers = {
        name: client.post("/v2/repository/index", data=body, headers=alice) for name, body in BODIES.items()
    }
    assert {name: a.text for name, a in answers.items() if a.status_code >= 500} == {}
    refused = client.post("/v2/repository/index", data=b'{"ready": 1}', headers=alice)
    assert (refused.status_code, refused.json) == (400, {"error": "ready: must be true or false"})
