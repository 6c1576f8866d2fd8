"""Other servers' clients, as they come from PyPI, get the answers that our own API gives, and are recorded."""

from __future__ import annotations

import json
from collections.abc import Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from config import VERSION
from tests.server import Server
from tests.wire.clients.environment import ask

FLOWERS = [
    {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2},
    {"sepal_length": 5.9, "sepal_width": 3.0, "petal_length": 5.1, "petal_width": 1.8},
]
PATIENT = {"age": 59.0, "sex": 2.0, "bmi": 32.1, "bp": 101.0, "s1": 157.0, "s2": 93.2, "s3": 38.0, "s4": 4.0,
           "s5": 4.8598, "s6": 87.0}  # fmt: skip
VISITS = [
    {"age": 45.0, "minutes": 9.6, "pages": 4, "channel": "newsletter", "returning": True},
    {"age": 29.0, "minutes": 2.3, "pages": 2, "channel": "search", "returning": False},
]
GAP = {"age": None, "minutes": 6.6, "pages": 3, "channel": None, "returning": False}
NAMES = ["predict", "predict_proba", "prediction_id"]

#: What has an answer.
ANSWERED: dict[str, dict[str, Any]] = {
    "numbers": {"model": "iris", "matrix": [list(row.values()) for row in FLOWERS]},
    "columns in another order": {"model": "iris", "rows": [dict(reversed(row.items())) for row in FLOWERS]},
    "a regression": {"model": "diabetes", "rows": [PATIENT], "outputs": ["predict", "prediction_id"]},
    "texts": {"model": "purchase", "rows": VISITS},
    "one row with gaps": {"model": "purchase", "rows": [GAP]},
    "a missing number": {"model": "purchase", "rows": [VISITS[0], {**VISITS[1], "age": None}]},
    "gaps beside values": {"model": "purchase", "rows": [*VISITS, GAP]},
}
#: What has none, with its status and some of what is said.
REFUSED: dict[str, tuple[int, str, dict[str, Any]]] = {
    "unknown model": (404, "iriz", {"model": "iriz", "rows": FLOWERS}),
    "wrong type": (400, "Sepal length", {"model": "iris", "rows": [{**FLOWERS[0], "sepal_length": "long"}]}),
    "wrong shape": (400, "4", {"model": "iris", "matrix": [[5.1, 3.5, 1.4]]}),
    "missing column": (400, "Petal width", {"model": "iris", "rows": [dict(list(FLOWERS[0].items())[:3])]}),
    "no token": (401, "", {"model": "iris", "rows": FLOWERS, "token": None}),
    "revoked token": (401, "", {"model": "iris", "rows": FLOWERS, "token": "revoked"}),
}


def revoked(server: Server) -> str:
    """A token that held until a moment ago."""
    token = server.login("bob")
    assert server.ask("POST", "/api/v1/logout", token=token)[0] == 204
    return token


def said_by_us(server: Server, token: str, case: dict[str, Any]) -> list[dict[str, Any]]:
    """What /api/v1 answers to the same rows."""
    path, body = f"/api/v1/models/{case['model']}/predict", {"instances": rows_of(case)}
    status, _, told = server.ask("POST", path, body, token=token)
    assert status == 200, told
    predictions: list[dict[str, Any]] = json.loads(told)["predictions"]
    return predictions


def rows_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    if "matrix" in case:
        return [dict(zip(FLOWERS[0], row, strict=True)) for row in case["matrix"]]
    rows: list[dict[str, Any]] = case["rows"]
    return rows


def recorded(server: Server, since: str) -> list[dict[str, Any]]:
    """What is on the record since then as having come by another protocol, oldest first."""
    asked = urlencode({"channel": "wire", "from": since, "limit": 100})
    status, _, told = server.ask("GET", f"/api/v1/predictions?{asked}", token=server.login("carol"))
    assert status == 200, told
    records: list[dict[str, Any]] = json.loads(told)["data"]
    return records[::-1]


def held(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its gaps."""
    return {name: value for name, value in row.items() if value is not None}


class Trial(NamedTuple):
    """What a client made of the cases, in each of its ways to send them, and of its other calls."""

    ways: list[dict[str, dict[str, Any]]]
    calls: dict[str, Any]
    #: What came onto the record meanwhile, oldest first.
    records: list[dict[str, Any]]


def tried(
    server: Server, folder: Path, client: str, script: str, *ways: dict[str, Any], url: str = ""
) -> Trial:
    """Run a client's script over all cases as alice, once for each of `ways`: members that each case then has.

    `url` is another address to ask at than the public one.
    """
    shared = {"url": url or server.address, "token": server.login("alice"), "outputs": NAMES}
    cases = {**ANSWERED, **{name: case for name, (_, _, case) in REFUSED.items()}}
    given = [{name: {**shared, **way, **case} for name, case in cases.items()} for way in ways]
    for way in given:
        if url:  # of a client that shows no token anyway
            way["no token"]["url"] = server.address
            del way["revoked token"]
        else:
            way["revoked token"]["token"] = revoked(server)
    since = datetime.now(UTC).isoformat()
    told = ask(client, script, {**shared, "ways": given}, folder)
    return Trial(told["ways"], told["calls"], recorded(server, since))


def check(server: Server, trial: Trial, *without: Set[str], by: str = "alice") -> None:
    """Every case has its outcome but those, of each way, that the client cannot send; the record holds just that."""
    records, alice = iter(trial.records), server.login("alice")
    for outcomes, cannot in zip(trial.ways, without, strict=True):
        assert {name for name, outcome in outcomes.items() if "cannot" in outcome} == cannot
        for name in ANSWERED.keys() - cannot:
            check_answer(name, outcomes[name], said_by_us(server, alice, ANSWERED[name]))
        check_refusals(outcomes)
        for name, case in ANSWERED.items():
            if name not in cannot:
                kept = [next(records) for _ in rows_of(case)]
                check_records(case, outcomes[name], kept, by)
    assert list(records) == []


def check_records(
    case: dict[str, Any], outcome: dict[str, Any], records: list[dict[str, Any]], by: str
) -> None:
    """One record a row, of the values that were sent, under the ids that the client was told, if it asked."""
    assert {(r["model"], r["user"], r["channel"]) for r in records} == {(case["model"], by, "wire")}
    for record, row in zip(records, rows_of(case), strict=True):
        assert held(record["used"]) == pytest.approx(held(row))
    assert outcome.get("prediction_id") in (None, [r["id"] for r in records])


def check_answer(name: str, outcome: dict[str, Any], ours: list[dict[str, Any]]) -> None:
    """The answer is `ours`, which our own API gave to the same rows."""
    assert "refused" not in outcome, (name, outcome)
    assert outcome["predict"] == [p["prediction"] for p in ours], name
    probabilities = [value for p in ours for value in (p["probabilities"] or {}).values()]
    if "predict_proba" in outcome:
        scores = [value for row in outcome["predict_proba"] or [] for value in row]
        assert scores == pytest.approx(probabilities, abs=1e-6), name


def check_refusals(outcomes: dict[str, dict[str, Any]]) -> None:
    """Status and words, as far as the client hands them on."""
    for name, (status, words, _) in REFUSED.items():
        if name in outcomes:
            outcome = outcomes[name]
            assert outcome["refused"] in (status, None), (name, outcome)
            assert outcome["said"] is None or words in outcome["said"], (name, outcome)


def test_tritonclient(server: Server, tmp_path: Path) -> None:
    ways = [{"binary": True}, {"binary": False}, {"binary": True, "compression": "gzip"}]
    trial = tried(server, tmp_path, "tritonclient", "ask_tritonclient", *ways)
    check(server, trial, *[{"gaps beside values"}] * 3)
    told = trial.calls
    assert all([told["live"], told["ready"], told["model ready"]]) and not told["unknown model ready"]
    assert told["server"]["name"] == "parecer" and "binary_tensor_data" in told["server"]["extensions"]
    assert told["model"] == told["version"]
    assert [(i["name"], i["datatype"]) for i in told["model"]["inputs"]] == [(n, "FP64") for n in FLOWERS[0]]
    assert {m["name"]: m["state"] for m in told["index"]} == dict.fromkeys(
        ("iris", "diabetes", "purchase"), "READY"
    )
    assert [m["name"] for m in told["statistics"]["model_stats"]] == ["iris"]


def test_kserve(server: Server, tmp_path: Path) -> None:
    ways = [{"protocol": "v1"}, {"protocol": "v2", "binary": False}, {"protocol": "v2", "binary": True}]
    trial = tried(server, tmp_path, "kserve", "ask_kserve", *ways)
    check(server, trial, set(), set(), {"gaps beside values"})
    assert trial.calls.pop("unknown model ready") is False
    assert trial.calls and all(trial.calls.values())


def test_mlserver_infer(server: Server, tmp_path: Path) -> None:
    trial = tried(server, tmp_path, "mlserver", "ask_mlserver", {"binary": False}, {"binary": True})
    check(server, trial, {"gaps beside values"}, {"gaps beside values"})


def test_open_inference_openapi(server: Server, tmp_path: Path) -> None:
    trial = tried(server, tmp_path, "open-inference", "ask_open_inference", {})
    check(server, trial, {"a missing number", "gaps beside values"})
    assert trial.calls["server"]["name"] == "parecer"
    assert trial.calls["model"]["versions"] == ["1"] and trial.calls["model"] == trial.calls["version"]


def test_pydantic_open_inference(server: Server, private: str, tmp_path: Path) -> None:
    trial = tried(server, tmp_path, "open-inference", "ask_pydantic_open_inference", {}, url=private)
    check(server, trial, {"a missing number", "gaps beside values"}, by="bob")
    assert trial.calls == {"ready": True, "valid": None, "unknown ready": False}


def test_mlflow(server: Server, private: str, tmp_path: Path) -> None:
    trial = tried(server, tmp_path, "mlflow", "ask_mlflow", {}, url=private)
    check(server, trial, set(), by="bob")
    assert trial.calls == {"ping": None, "version": VERSION}
