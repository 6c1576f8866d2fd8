"""The engine picked in a notebook."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from parecer_client import Choice, Client, InvalidInput, PublicationRefused, Version
from sklearn.linear_model import LinearRegression

from tests.client.scripted import Got, Reply, scripted
from tests.handing_in import engines

X = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "age": [1.0, 0.0, 2.0, 1.0]})
Y = pd.Series([1.0, 2.0, 3.0, 4.5], name="price")
ESTIMATOR = LinearRegression().fit(X, Y)
SENT = Reply(202, {}, {"Location": "/api/v1/submissions/sub_1"})
RESTS = Reply(200, {"state": "choosing", "stage": "", "progress": 0.9, "report": {"engines": engines()}})
BEGUN = Reply(202, {"state": "waiting"})
BECAME = Reply(200, {"state": "published", "version": "1", "live": True, "page": "/models/m?version=1"})


def described(**told: Any) -> Reply:
    return Reply(200, {"metrics": {}, "engines": {"one": "onnx", "many": "sklearn", **told}})


def publish(address: str, **how: Any) -> Any:
    desk = Client(address, "token", progress=False)
    return desk.publish(ESTIMATOR, X, Y, **{"name": "m", "cv": 0, **how})


def wish(got: Got) -> str:
    return got.body.split(b'name="engine"\r\n\r\n')[1].split(b"\r\n")[0].decode()


def test_who_asks_is_shown_the_engines_and_picks_one(capsys: pytest.CaptureFixture[str]) -> None:
    told = described(picked="onnx-int8", options=engines())
    with scripted(SENT, RESTS, BEGUN, BECAME, told) as (address, got):
        choice = publish(address, engine="ask")
        shown = capsys.readouterr().out
        assert isinstance(choice, Choice) and wish(got[0]) == "ask"
        assert "m is not published yet" in shown and f"{address}/submissions/sub_1" in shown
        assert "onnx-int8" in shown and "pruned" not in shown
        assert choice.engines.loc["onnx-int8", "agree"] == 0.96
        assert choice.engines.index[~choice.engines["offered"]].tolist() == ["pruned", "distilled"]
        made = choice.choose("onnx-int8")
    assert isinstance(made, Version) and "Published m version 1 (live)" in capsys.readouterr().out
    assert (got[2].method, got[2].path) == ("POST", "/api/v1/submissions/sub_1/engine")
    assert json.loads(got[2].body) == {"engine": "onnx-int8"}
    assert made.engines is not None and made.engines.index[made.engines["picked"]].tolist() == ["onnx-int8"]


def test_an_engine_that_is_named_is_published_with() -> None:
    with scripted(SENT, BECAME, described(picked="onnx", options=engines())) as (address, got):
        made = publish(address, engine="onnx")
    assert wish(got[0]) == "onnx" and made.engines.index[made.engines["picked"]].tolist() == ["onnx"]


def test_where_nothing_is_said_the_desk_takes_the_fastest() -> None:
    with scripted(SENT, BECAME, described(picked="auto", options=engines())) as (address, got):
        made = publish(address)
    assert wish(got[0]) == "auto" and made.engines["picked"].sum() == 2


def test_a_version_without_a_choice_shows_none() -> None:
    with scripted(SENT, BECAME, described()) as (address, _):
        assert publish(address).engines is None


def test_a_score_of_rows_that_were_learned_from_is_not_taken_for_another() -> None:
    known = [one | {"scored_on": "training data"} for one in engines()]
    with scripted(SENT, BECAME, described(picked="auto", options=known)) as (address, _):
        shown = publish(address).engines
    assert set(shown["scored_on"]) == {"training data"} and shown.loc["onnx", "score_name"] == "accuracy"


def test_what_is_not_offered_can_be_picked_anew() -> None:
    wrong = Reply(422, {"detail": "engine: must be one of those offered", "errors": []})
    with scripted(SENT, RESTS, wrong, BEGUN, BECAME, described()) as (address, _):
        choice = publish(address, engine="ask")
        with pytest.raises(InvalidInput, match="one of those offered"):
            choice.choose("pruned")
        assert choice.choose().number == "1"


def test_a_choice_that_waited_too_long_is_a_refusal() -> None:
    over = Reply(200, {"state": "cancelled", "errors": [{"pointer": "#/engine", "detail": "Within 7 days."}]})
    with (
        scripted(SENT, RESTS, BEGUN, over) as (address, _),
        pytest.raises(PublicationRefused, match="Within 7 days"),
    ):
        publish(address, engine="ask").choose()


def test_a_choice_shows_itself_safely() -> None:
    odd = [engines()[0] | {"reason": "<i>"}]
    rests = Reply(200, {"state": "choosing", "report": {"engines": odd}})
    with scripted(SENT, rests) as (address, _):
        choice = publish(address, engine="ask", name="<b>")
    shown = choice._repr_html_()
    assert "<i>" not in shown and "<b>" not in shown and "sklearn" in shown
    assert repr(choice) == f"Choice(name='<b>', page='{address}/submissions/sub_1')"
