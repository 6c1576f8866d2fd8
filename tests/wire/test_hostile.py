"""The hostile bodies of the JSON API, sent to the protocols of other servers: never more than an error, and quickly."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.api.hostile import BODIES

#: Address, and the members of its errors; MLflow knows some of these bodies as rows.
ROUTES = [
    ("/v2/models/iris/infer", {"error"}),
    ("/v1/models/iris:predict", {"error"}),
    ("/invocations", {"error_code", "message"}),
]
SECONDS, TRIES = 0.1, 5


@pytest.mark.parametrize(("route", "members"), ROUTES)
def test_every_hostile_body_is_an_error_in_the_words_of_the_protocol(
    client: FlaskClient, token: Callable[[str], str], route: str, members: set[str]
) -> None:
    headers = {"Authorization": f"Bearer {token('alice')}", "Content-Type": "application/json"}
    client.post(route, data=b"{}", headers=headers)  # the model is loaded once, before the clock runs
    wrong = []
    for name, body in BODIES.items():
        for _ in range(TRIES):  # a slow body is slow every time
            begun = time.perf_counter()
            answer = client.post(route, data=body, headers=headers)
            seconds = time.perf_counter() - begun
            if seconds < SECONDS:
                break
        told = answer.get_json(force=True, silent=True) or {}
        fine = answer.status_code == 200 or (400 <= answer.status_code < 500 and set(told) == members)
        if not fine or seconds > SECONDS:
            wrong.append((name, answer.status_code, f"{seconds:.3f} s", answer.text[:120]))
    assert wrong == []
