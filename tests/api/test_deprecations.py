"""What is going away says so on every answer, and is gone once its time has come."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import ROOT, Settings
from tests.conftest import CleanClient, close, password
from webapp.api import deprecations
from webapp.api.deprecations import NOTICE, Ending
from webapp.app import create_app

SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)
PAGE, NEXT = "/docs/leaving", "/api/v2/models"
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
Make = Callable[[dict[str, Ending]], Flask]


@pytest.fixture
def make(backend_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """An application with these rows in the table."""
    made: list[Flask] = []

    def application(rows: dict[str, Ending]) -> Flask:
        for name, ending in rows.items():
            monkeypatch.setitem(deprecations.ENDINGS, name, ending)
        made.append(create_app(backend_settings()))
        made[-1].test_client_class = CleanClient
        return made[-1]

    yield application
    for app in made:
        close(app)


def bearer(client: FlaskClient) -> dict[str, str]:
    given = client.post("/api/v1/login", json={"username": "alice", "password": password("alice")}).json
    return {"Authorization": f"Bearer {given['access_token']}"}


def ahead(**told: str) -> Ending:
    return Ending(SINCE, datetime.now(UTC) + NOTICE, PAGE, **told)


def test_every_answer_says_that_it_is_going_away(make: Make) -> None:
    client = make({"api.list_models": ahead(successor=NEXT), "api.predict": ahead()}).test_client()
    shown = bearer(client)
    whole = client.get("/api/v1/models", headers=shown)
    once_more = {**shown, "If-None-Match": whole.headers["ETag"]}
    answers = [whole, client.get("/api/v1/models"), client.get("/api/v1/models", headers=once_more)]
    for answer, status in zip(answers, (200, 401, 304), strict=True):
        assert answer.status_code == status
        assert answer.headers["Deprecation"] == f"@{int(SINCE.timestamp())}"
        assert parsedate_to_datetime(answer.headers["Sunset"]) > SINCE + NOTICE
        links = [f'<{PAGE}>; rel="deprecation"; type="text/html"', f'<{NEXT}>; rel="successor-version"']
        assert answer.headers.getlist("Link") == links
    for _ in range(2):  # the second time the caller is known
        made = client.post("/api/v1/models/iris/predict", json={"inputs": ROW}, headers=shown)
        assert made.status_code == 200 and made.headers["Deprecation"].startswith("@")
    other = client.get("/api/v1/models/iris", headers=shown).headers
    assert not {"Deprecation", "Sunset", "Link"} & set(other.keys())


@pytest.mark.parametrize(("successor", "names"), [(NEXT, NEXT), ("", PAGE)])
def test_after_its_sunset_it_is_gone(make: Make, successor: str, names: str) -> None:
    past = Ending(SINCE - 2 * NOTICE, datetime.now(UTC) - timedelta(minutes=1), PAGE, successor)
    client = make({"api.list_models": past}).test_client()
    answer = client.get("/api/v1/models", headers=bearer(client))
    told = answer.json
    assert (answer.status_code, told["status"], told["type"]) == (410, 410, "/api/v1/docs/errors#gone")
    assert names in told["detail"] and "Sunset" in answer.headers
    assert client.get("/api/v1/models/iris", headers=bearer(client)).status_code == 200


def test_without_a_sunset_it_stays(make: Make) -> None:
    client = make({"api.list_models": Ending(SINCE, None, PAGE)}).test_client()
    answer = client.get("/api/v1/models", headers=bearer(client))
    assert (answer.status_code, "Sunset" in answer.headers) == (200, False)


def test_the_description_marks_it(make: Make) -> None:
    client = make({"api.predict": ahead(), "api.show_job": ahead()}).test_client()
    paths = client.get("/api/v1/openapi.json", headers=bearer(client)).json["paths"]
    marked = {
        (path, method)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if operation.get("deprecated")
    }
    predict = {(f"/models/{name}/predict", "post") for name in ("{model}", "iris", "diabetes", "purchase")}
    assert marked == {("/jobs/{id}", "get"), *predict}
    assert "410" in paths["/jobs/{id}"]["get"]["responses"]


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("api.list_models", Ending(SINCE, SINCE + NOTICE - timedelta(seconds=1), PAGE)),
        ("api.list_models", Ending(SINCE.replace(tzinfo=None), None, PAGE)),
        ("api.no_such", Ending(SINCE, SINCE + NOTICE, PAGE)),
    ],
)
def test_the_start_refuses_a_row_that_breaks_the_promise(make: Make, name: str, ending: Ending) -> None:
    with pytest.raises(RuntimeError, match=name):
        make({name: ending})


def test_the_promised_notice_is_the_one_that_is_kept() -> None:
    page = (ROOT / "docs/reference/versions-of-the-api.md").read_text()
    assert set(re.findall(r"(\d+) days", page)) == {str(NOTICE.days)}
