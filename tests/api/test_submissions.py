"""Models sent by program."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.conftest import ApiClient
from tests.handing_in import engines, flowers, form
from webapp.services import registry
from webapp.services.submissions.running import run

Api = Callable[[str], ApiClient]


def send(api: ApiClient, to: str = "flowers", **changes: Any) -> tuple[int, Any]:
    path = f"/models/{to}/versions"
    return api("POST", path, data=form(**changes), content_type="multipart/form-data")


def work(app: Flask, found: dict[str, Any]) -> None:
    run(app.extensions["desk"], found["id"], "nobody", lambda: False)


def test_a_model_is_inspected_apart_and_answers(app: Flask, api: Api) -> None:
    paula = api("paula")
    sample = (io.BytesIO(flowers()[1]), "test.csv")
    status, sent = send(paula, test=sample, title="Flowers", card=json.dumps({"caveats": "Few rows"}))
    assert (status, sent["state"], sent["progress"], sent["version"]) == (202, "waiting", 0.0, None)
    work(app, sent)
    _, done = paula("GET", f"/submissions/{sent['id']}")
    assert (done["state"], done["version"], done["live"]) == ("published", "1", True)
    assert (done["page"], done["errors"], done["user"]) == ("/models/flowers?version=1", [], "paula")
    assert done["report"]["metrics"]["on"] == "test data" and done["report"]["refused"] == []
    assert done["report"]["conversion"]["reason"].startswith("ONNX agrees with scikit-learn on ")
    assert {type(one["reason"]) for one in done["report"]["engines"]} == {str}
    assert paula("GET", "/models/flowers")[1]["engines"]["reason"].startswith("ONNX agrees")
    assert paula("GET", "/models/flowers")[1]["card"]["caveats"] == "Few rows"
    inputs = dict.fromkeys(paula("GET", "/models/flowers")[1]["json_schema"]["properties"], 1.0)
    assert paula("POST", "/models/flowers/predict", {"inputs": inputs})[0] == 200


def test_the_answer_says_where_to_look(app: Flask, api: Api) -> None:
    paula = api("paula")
    answer = paula.client.post(
        "/api/v1/models/flowers/versions", data=form(), headers={"Authorization": f"Bearer {paula.token}"}
    )
    assert answer.headers["Location"] == f"/api/v1/submissions/{answer.json['id']}"


@pytest.mark.usefixtures("in_process")
def test_a_refusal_is_told_with_types_and_advice(app: Flask, api: Api) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer
    from skops import io as skops_io

    paula = api("paula")
    stranger = skops_io.dumps(make_pipeline(FunctionTransformer(json.dumps), LogisticRegression()))
    _, sent = send(paula, model=(io.BytesIO(stranger), "m.skops"))
    work(app, sent)
    _, told = paula("GET", f"/submissions/{sent['id']}")
    assert (told["state"], told["page"]) == ("refused", None)
    assert (
        told["report"]["refused"][0]["type"].startswith("json.dumps")
        and told["report"]["refused"][0]["advice"]
    )
    assert told["errors"][0]["pointer"] == "#" and "json.dumps" in told["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"model": None}, "#/model"),
        ({"data": None}, "#/data"),
        ({"target": None}, "#/target"),
        ({"engine": "gpu"}, "#/engine"),
        ({"promote": "yes"}, "#/promote"),
        ({"card": "[]"}, "#/card"),
        ({"schema": "{"}, "#/schema"),
        ({"titel": "x"}, "#/titel"),
        ({"extra": (io.BytesIO(b"x"), "x")}, "#/extra"),
        ({"to": "No!"}, "#/name"),
    ],
)
def test_what_is_wrong_is_pointed_to(app: Flask, api: Api, change: dict[str, Any], pointer: str) -> None:
    status, body = send(api("paula"), **change)
    assert (status, [e["pointer"] for e in body["errors"]]) == (422, [pointer])
    assert list(app.extensions["desk"].workshop.incoming.glob("*")) == []


def test_a_pickle_is_refused_before_anybody_opens_it(api: Api) -> None:
    status, body = send(api("paula"), model=(io.BytesIO(b"\x80\x04."), "m.pkl"))
    assert (status, body["type"]) == (422, "/api/v1/docs/errors#bad-artifact") and "can run code" in body[
        "detail"
    ]


def test_only_publishers_and_admins_send_models(api: Api) -> None:
    for name, status in (("alice", 403), ("carol", 403), ("dave", 202)):
        assert send(api(name))[0] == status


def test_a_body_of_another_kind_is_refused(api: Api) -> None:
    assert api("paula")("POST", "/models/flowers/versions", {"target": "x"})[0] == 415


def test_submissions_of_others_do_not_exist(api: Api) -> None:
    _, sent = send(api("paula"))
    for method in ("GET", "DELETE"):
        assert api("bob")(method, f"/submissions/{sent['id']}")[0] == 404
    assert api("bob")("GET", "/submissions")[1] == {"data": [], "has_more": False, "next_cursor": None}
    assert [one["id"] for one in api("carol")("GET", "/submissions")[1]["data"]] == [sent["id"]]


def test_one_can_be_cancelled_once(api: Api) -> None:
    paula = api("paula")
    _, sent = send(paula)
    assert paula("DELETE", f"/submissions/{sent['id']}")[1]["state"] == "cancelled"
    assert paula("DELETE", f"/submissions/{sent['id']}")[0] == 409


def test_pages_follow_each_other(api: Api) -> None:
    paula = api("paula")
    ids = [send(paula)[1]["id"] for _ in range(3)][::-1]
    first = paula("GET", "/submissions?limit=2")[1]
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (ids[:2], True)
    second = paula("GET", f"/submissions?limit=2&cursor={first['next_cursor']}")[1]
    assert ([one["id"] for one in second["data"]], second["has_more"]) == (ids[2:], False)


def test_engines_are_shown_and_one_is_picked(app: Flask, api: Api, shown_engines: None) -> None:
    paula = api("paula")
    _, sent = send(paula, engine="ask")
    work(app, sent)
    _, resting = paula("GET", f"/submissions/{sent['id']}")
    assert (resting["state"], resting["engine"], resting["finished_at"]) == ("choosing", "ask", None)
    assert [one["name"] for one in resting["report"]["engines"] if one["offered"]][-1] == "onnx-int8"
    place = f"/submissions/{sent['id']}/engine"
    status, picked = paula("POST", place, {"engine": "onnx"})
    assert (status, picked["state"], picked["engine"]) == (202, "waiting", "onnx")
    assert paula("POST", place, {"engine": "sklearn"})[0] == 409
    work(app, sent)
    _, done = paula("GET", f"/submissions/{sent['id']}")
    assert (done["state"], done["version"], done["engine"]) == ("published", "1", "onnx")


def test_what_is_wrong_with_a_choice_is_pointed_to(app: Flask, api: Api, shown_engines: None) -> None:
    paula = api("paula")
    _, sent = send(paula, engine="ask")
    work(app, sent)
    place = f"/submissions/{sent['id']}/engine"
    for body in ({}, {"engine": 3}, {"engine": "pruned"}):
        status, told = paula("POST", place, body)
        assert (status, told["errors"][0]["pointer"]) == (422, "#/engine")
    assert paula("POST", place, {"engine": "onnx", "engines": "x"})[1]["errors"][0]["pointer"] == "#/engines"
    for name, status in (("alice", 403), ("carol", 403), ("dave", 202)):
        assert api(name)("POST", place, {"engine": "onnx"})[0] == status


def test_a_version_shows_the_engines_it_was_picked_from(
    app: Flask, api: Api, packages: dict[str, Any]
) -> None:
    made = packages["iris"][1]
    told = made.manifest["engines"] | {"options": engines(), "picked": "onnx"}
    made = made._replace(manifest=made.manifest | {"engines": told})
    registry.publish(app.extensions["desk"].store, made, name="iris", title="")
    for path in ("/models/iris?version=2", "/models/iris/versions/2"):
        shown = api("alice")("GET", path)[1]["engines"]
        assert (shown["picked"], shown["options"]) == ("onnx", engines())
