"""What every answer carries, and who may keep it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from webapp.web.assets import address

GOOD = {"inputs": {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}}
PREDICT = "/api/v1/models/iris/predict"


@pytest.fixture
def ask(
    app: Flask,
    client: FlaskClient,
    signed_in: Callable[[str], FlaskClient],
    token: Callable[[str], str],
) -> Callable[[str], TestResponse]:
    """ask("page /models"): as a browser that is signed in, as a program, or as nobody."""

    def send(what: str) -> TestResponse:
        who, path = what.split()
        if path == "app.css":
            with app.test_request_context():
                path = address(path)
        if who == "page":
            return signed_in("dave").get(path)
        shown = {"Authorization": f"Bearer {token('alice')}"} if who in ("api", "lane") else {}
        if path != PREDICT:
            return client.get(path, headers=shown)
        rounds = 2 if who == "lane" else 1  # the second time the caller is known
        return [client.post(path, json=GOOD, headers=shown) for _ in range(rounds)][-1]

    return send


PRIVATE = [
    *("page /", "page /models", "page /predictions", "page /predictions.csv", "page /admin/users"),
    *(
        "page /models/absent",
        "page /predictions?from=x",
        "page /assets/0/absent.css",
        "nobody /assets/0/absent.css",
    ),
    *("nobody /login", "nobody /models", "nobody /absent", "nobody /assets/0/app.css"),
    *(
        "api /api/v1/models",
        "api /api/v1/models/absent",
        "api /api/v1/predictions?limit=x",
        "api /api/v1/absent",
    ),
    *(
        f"api {PREDICT}",
        f"lane {PREDICT}",
        f"nobody {PREDICT}",
        "nobody /api/v1/docs",
        "nobody /api/v1/openapi.json",
    ),
    *("nobody /livez", "nobody /readyz", "nobody /metrics", "nobody /api/v1/docs/assets/absent"),
]
PUBLIC = ["page app.css", "nobody app.css", "nobody /api/v1/docs/assets/swagger_style.css"]


def binds_the_browser(headers: Headers) -> bool:
    policies = headers.getlist("Content-Security-Policy")
    return (
        headers.getlist("X-Content-Type-Options") == ["nosniff"]
        and headers.getlist("Referrer-Policy") == ["same-origin"]
        and len(policies) == len(headers.getlist("X-Request-Id")) == 1
        and "default-src 'none'" in policies[0]
        and "frame-ancestors 'none'" in policies[0]
    )


@pytest.mark.parametrize("what", PRIVATE)
def test_nobody_keeps_what_is_private(ask: Callable[[str], TestResponse], what: str) -> None:
    headers = ask(what).headers
    assert binds_the_browser(headers)
    assert headers.getlist("Cache-Control") == ["private, no-store"]
    assert {"Cookie", "Authorization"} <= {w.strip() for w in ",".join(headers.getlist("Vary")).split(",")}


@pytest.mark.parametrize("what", PUBLIC)
def test_files_are_the_same_for_everybody(ask: Callable[[str], TestResponse], what: str) -> None:
    headers = ask(what).headers
    assert binds_the_browser(headers)
    assert headers["Cache-Control"].startswith("public, max-age=")
    assert headers.get("Vary", "Accept-Encoding") == "Accept-Encoding" and "Set-Cookie" not in headers
