"""What has not changed is not sent again."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.test_jobs import ROWS
from tests.conftest import ApiClient
from webapp.services import registry, sealing

Api = Callable[[str], ApiClient]
Get = Callable[..., TestResponse]
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
READ = (
    *("/models", "/models/iris", "/models/iris/versions", "/models/iris/versions/1", "/models/iris/releases"),
    *("/models/iris/live", "/models/iris/experiments", "/models/iris/compare?from=1&to=1"),
    *(
        "/predictions",
        "/predictions/{record}",
        "/predictions/{record}/lineage",
        "/predictions/{record}/proof",
    ),
    *("/jobs", "/jobs/{job}", "/submissions", "/checkpoint", "/openapi.json"),
)


@pytest.fixture
def get(app: Flask, api: Api) -> Get:
    """get(path, method="GET", header=value): as alice, who has one record and one batch."""
    alice = api("alice")
    made = alice("POST", "/models/iris/predict", {"inputs": ROW})[1]
    form = {"model": "iris", "file": (io.BytesIO(ROWS), "rows.csv")}
    job = alice("POST", "/jobs", data=form, content_type="multipart/form-data")[1]
    sealing.seal(app.extensions["desk"].seals.keys)

    def send(path: str, method: str = "GET", **headers: str) -> TestResponse:
        shown = {"Authorization": f"Bearer {alice.token}", **headers}
        address = path.format(record=made["id"], job=job["id"])
        return alice.client.open(f"/api/v1{address}", method=method, headers=shown)

    return send


def test_what_is_read_has_a_strong_tag_and_is_sent_once(get: Get) -> None:
    for path in READ:
        first = get(path)
        tag = first.headers["ETag"]
        assert (first.status_code, tag[0], tag[-1]) == (200, '"', '"'), path
        for wanted in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = get(path, **{"If-None-Match": wanted})
            assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag), path
            assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
            assert again.headers["Vary"] == first.headers["Vary"]
            assert not {"Content-Type", "Content-Length"} & set(again.headers.keys())
        assert get(path, **{"If-None-Match": '"other"'}).data == first.data


def test_a_look_at_the_head_tells_the_same(get: Get) -> None:
    for path in READ:
        whole, head = get(path), get(path, "HEAD")
        ours = [(k, v) for k, v in head.headers if k != "X-Request-Id"]
        assert (head.status_code, head.data) == (200, b""), path
        assert ours == [(k, v) for k, v in whole.headers if k != "X-Request-Id"]
        assert get(path, "HEAD", **{"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_a_change_has_another_tag(app: Flask, get: Get, packages: dict[str, Any]) -> None:
    paths = ("/models", "/models/iris/versions", "/models/iris/releases")
    before = {path: get(path).headers["ETag"] for path in paths}
    registry.publish(app.extensions["desk"].store, packages["iris"][1], name="iris", title="", promote=True)
    assert all(get(path, **{"If-None-Match": tag}).status_code == 200 for path, tag in before.items())


def test_neither_errors_nor_changes_are_tagged(get: Get, client: FlaskClient) -> None:
    for answer in (get("/models/absent"), get("/models", "POST"), client.get("/api/v1/models")):
        assert answer.status_code >= 400 and "ETag" not in answer.headers
    assert get("/models/absent", **{"If-None-Match": "*"}).status_code == 404
    assert "ETag" not in get("/models/iris/predict", "POST").headers
