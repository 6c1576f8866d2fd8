"""Releases by program."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from tests.conftest import ApiClient
from webapp.services import registry, releases

Api = Callable[[str], ApiClient]
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(autouse=True)
def second(app: Flask, packages: dict[str, Any]) -> None:
    registry.publish(app.extensions["desk"].store, packages["iris"][1], name="iris", title="")


def tag(api: ApiClient) -> str:
    answer = api.client.get("/api/v1/models/iris/releases", headers={"Authorization": f"Bearer {api.token}"})
    return answer.headers["ETag"]


def promote(api: ApiClient, version: str = "2", match: str | None = "*", **body: Any) -> tuple[int, Any]:
    headers = {} if match is None else {"If-Match": match}
    sent = {"version": version, "reason": "Better."} | body
    return api("POST", "/models/iris/promote", sent, headers=headers)


def test_a_version_is_promoted_and_rolled_back(api: Api) -> None:
    paula, alice = api("paula"), api("alice")
    status, made = promote(paula, match=tag(paula))
    assert (status, made["version"], made["alias"], made["request"]) == (200, "2", "live", None)
    assert alice("POST", "/models/iris/predict", {"inputs": ROW})[1]["version"] == "2"
    status, made = paula("POST", "/models/iris/rollback", {}, headers={"If-Match": tag(paula)})
    assert (status, made["version"]) == (200, "1")
    _, told = alice("GET", "/models/iris/releases")
    assert [(r["version"], r["kind"], r["user"]) for r in told["data"]] == [
        ("1", "rollback", "paula"),
        ("2", "promote", "paula"),
        ("1", "publish", None),
    ]
    assert (told["live"], told["aliases"], told["data"][0]["to"]) == ("1", {"live": "1"}, None)


def test_every_change_answers_with_the_tag_of_the_next(api: Api) -> None:
    paula = api("paula")
    shown = {"Authorization": f"Bearer {paula.token}", "If-Match": tag(paula)}
    for method, path, body in (
        ("PUT", "aliases/candidate", {"version": "2"}),
        ("PUT", "aliases/test", {"version": "1"}),
        ("DELETE", "aliases/test", None),
        ("POST", "promote", {"version": "2", "reason": "Better."}),
        ("POST", "rollback", None),
    ):
        answer = paula.client.open(f"/api/v1/models/iris/{path}", method=method, json=body, headers=shown)
        assert answer.status_code in (200, 204), answer.text
        shown["If-Match"] = answer.headers["ETag"]
    assert tag(paula) == shown["If-Match"]


@pytest.mark.parametrize("match", ['"0"', '"999"', "3", 'W/"1"', '"1", "2"', "x"])
def test_a_change_upon_another_state_is_refused(api: Api, match: str) -> None:
    status, told = promote(api("paula"), match=match)
    assert (status, told["type"]) == (412, "/api/v1/docs/errors#outdated")


def test_a_change_that_names_no_state_is_refused(api: Api) -> None:
    status, told = promote(api("paula"), match=None)
    assert (status, told["type"]) == (428, "/api/v1/docs/errors#precondition-needed")
    assert "/api/v1/models/iris/releases" in told["detail"]


def test_what_was_live_at_a_time(api: Api) -> None:
    paula, alice = api("paula"), api("alice")
    promote(paula)
    newest = alice("GET", "/models/iris/live")[1]
    before = datetime.fromisoformat(newest["from"]) - timedelta(microseconds=1)
    status, told = alice("GET", "/models/iris/live", query_string={"at": before.isoformat()})
    assert (status, newest["version"], told["version"], told["to"]) == (200, "2", "1", newest["from"])
    assert alice("GET", "/models/iris/live?at=2001-01-01")[0] == 404
    status, told = alice("GET", "/models/iris/live?at=yesterday")
    assert (status, told["errors"][0]["pointer"]) == (422, "#/at")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"version": 2}, "#/version"),
        ({"reason": None}, "#/reason"),
        ({"why": "x"}, "#/why"),
        ({"reason": " "}, "#/reason"),
    ],
)
def test_what_cannot_be_read_is_refused(api: Api, body: dict[str, Any], pointer: str) -> None:
    status, told = promote(api("paula"), **body)
    assert (status, [e["pointer"] for e in told["errors"]]) == (422, [pointer])


@pytest.mark.parametrize("version", ["9", "0", "-1", "x", "2\x00", "９"])
def test_a_version_that_is_not_there_is_not_promoted(api: Api, version: str) -> None:
    assert promote(api("paula"), version)[0] == 404


def test_two_people_release(app: Flask, api: Api) -> None:
    paula, dave = api("paula"), api("dave")
    releases.require_two(None, "iris", True)
    status, made = promote(paula)
    assert (status, made["request"][:4]) == (202, "ask_")
    path = f"/models/iris/requests/{made['request']}"
    asked = dave("GET", "/models/iris/releases")[1]["request"]
    assert (asked["id"], asked["version"], asked["user"]) == (made["request"], "2", "paula")
    star = {"If-Match": "*"}
    assert paula("POST", f"{path}/approve", {}, headers=star)[0] == 403
    assert dave("POST", f"{path}/nod", {}, headers=star)[0] == 404
    assert dave("POST", f"{path}/refuse", {}, headers=star)[0] == 422
    assert dave("POST", f"{path}/approve", {"reason": "Fine."}, headers=star)[0] == 200
    assert dave("POST", f"{path}/approve", {}, headers=star)[0] == 404
    second = promote(paula, "1")[1]["request"]
    assert paula("POST", f"/models/iris/requests/{second}/withdraw", None, headers=star)[1]["request"] is None


def test_versions_name_their_aliases(api: Api) -> None:
    paula = api("paula")
    paula("PUT", "/models/iris/aliases/candidate", {"version": "2"}, headers={"If-Match": "*"})
    lines = paula("GET", "/models/iris/versions")[1]["data"]
    assert [(v["version"], v["aliases"]) for v in lines] == [("2", ["candidate"]), ("1", ["live"])]
