"""Hostile bodies: a 4xx problem with a pointer, quickly, and nothing on the record."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.hostile import BODIES, row
from webapp.db import Prediction
from webapp.db.base import session

TYPES = (
    "application/octet-stream", "application/python-pickle", "application/x-pickle", "application/xml", "text/plain",
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json5", "",
    "application/vnd.api+json",
)  # fmt: skip
ROUTES = ("/api/v1/models/iris/predict", "/api/v1/predict")
TRIES = 5  # a slow body is slow every time; a machine that looked away for a moment is not


def test_there_are_enough_of_them() -> None:
    assert len(BODIES) >= 300


@pytest.mark.parametrize("route", ROUTES)
def test_every_hostile_body_is_refused_with_a_pointer(
    app: Flask, client: FlaskClient, token: Callable[[str], str], route: str
) -> None:
    headers = {"Authorization": f"Bearer {token('alice')}", "Content-Type": "application/json"}
    client.post(route, data=row(), headers=headers)  # the model is loaded once, before the clock runs
    wrong = []
    for name, body in BODIES.items():
        for _ in range(TRIES):
            begun = time.perf_counter()
            answer = client.post(route, data=body, headers=headers)
            seconds = time.perf_counter() - begun
            if seconds < 0.1:
                break
        problem = answer.get_json(force=True, silent=True) or {}
        fine = (
            400 <= answer.status_code < 500
            and answer.mimetype == "application/problem+json"
            and problem.get("status") == answer.status_code
            and (answer.status_code == 404 or all(e["pointer"].startswith("#") for e in problem["errors"]))
            and seconds < 0.1
        )
        if not fine:
            wrong.append((name, answer.status_code, f"{seconds:.3f} s", answer.text[:120]))
    assert wrong == []
    session().rollback()
    assert session().query(Prediction).count() == 1


@pytest.mark.parametrize("kind", TYPES)
def test_only_json_is_read(client: FlaskClient, token: Callable[[str], str], kind: str) -> None:
    headers = {"Authorization": f"Bearer {token('alice')}", "Content-Type": kind}
    assert client.post(ROUTES[0], data=row(), headers=headers).status_code == 415


def test_a_body_over_the_limit_is_refused_unread(client: FlaskClient, token: Callable[[str], str]) -> None:
    headers = {"Authorization": f"Bearer {token('alice')}", "Content-Type": "application/json"}
    answer = client.post(ROUTES[0], data=b" " * (8 * 2**20 + 1), headers=headers)
    assert answer.status_code == 413
