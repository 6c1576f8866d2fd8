"""Comparisons of versions by program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.conftest import ApiClient
from webapp.services import registry

Api = Callable[[str], ApiClient]
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
STAR = {"If-Match": "*"}


@pytest.fixture(autouse=True)
def second(app: Flask, packages: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    desk = app.extensions["desk"]
    registry.publish(desk.store, packages["iris"][1], name="iris", title="")
    monkeypatch.setattr(desk.repeats, "_later", lambda _seconds, work: work())


def start(api: ApiClient, headers: dict[str, str] = STAR, **body: Any) -> tuple[int, Any]:
    return api("POST", "/models/iris/experiments", {"version": "2", "kind": "shadow"} | body, headers=headers)


def test_a_shadow_from_its_beginning_to_its_end(api: Api) -> None:
    paula, alice = api("paula"), api("alice")
    status, made = start(paula)
    assert (status, made["champion"], made["challenger"], made["ended_at"]) == (201, "1", "2", None)
    for _ in range(3):
        assert alice("POST", "/models/iris/predict", {"inputs": ROW})[1]["version"] == "1"
    _, told = alice("GET", f"/experiments/{made['id']}")
    assert (told["pairs"], told["same"], told["changes"], told["largest_difference"]) == (3, 3, [], 0.0)
    assert [arm["n"] for arm in told["arms"]] == [3, 3]
    assert told["verdict"]["result"] == "inconclusive"
    record = alice("GET", "/predictions")[1]["data"][0]
    assert record["experiment"] == made["id"] and record["channel"] == "api"
    assert len(alice("GET", "/predictions")[1]["data"]) == 3
    status, ended = paula("POST", f"/experiments/{made['id']}/end", None, headers=STAR)
    assert (status, ended["ended_at"] is None) == (200, False)
    assert paula("POST", f"/experiments/{made['id']}/end", None, headers=STAR)[0] == 409
    assert [e["id"] for e in alice("GET", "/models/iris/experiments")[1]["data"]] == [made["id"]]


def test_who_asks_for_nothing_else_stays_with_one_version(api: Api) -> None:
    start(api("paula"), kind="split", share=0.5)
    alice = api("alice")
    answered = {alice("POST", "/models/iris/predict", {"inputs": ROW})[1]["version"] for _ in range(5)}
    assert len(answered) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "both"}, "#/kind"),
        ({"kind": 1}, "#/kind"),
        ({"version": None}, "#/version"),
        ({"share": "half"}, "#/share"),
        ({"share": True}, "#/share"),
        ({"share": 1.5}, "#/share"),
        ({"kind": "split", "share": 1.0}, "#/share"),
        ({"why": "x"}, "#/why"),
    ],
)
def test_what_cannot_be_read_is_refused(api: Api, body: dict[str, Any], pointer: str) -> None:
    status, told = start(api("paula"), **body)
    assert (status, [e["pointer"] for e in told["errors"]]) == (422, [pointer])


def test_it_is_for_publishers_and_upon_a_state(api: Api) -> None:
    assert start(api("alice"))[0] == 403
    assert start(api("paula"), headers={})[0] == 428
    assert start(api("paula"), headers={"If-Match": '"0"'})[0] == 412
    assert api("alice")("GET", "/experiments/exp_nothing")[0] == 404
    assert api("alice")("GET", "/experiments/%00")[0] == 404
