"""The truth, reported by a program."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import ApiClient

Api = Callable[[str], ApiClient]
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture
def asked(api: Api) -> str:
    _, made = api("alice")("POST", "/models/iris/predict", {"inputs": ROW})
    return str(made["id"])


def test_an_outcome_is_kept_with_its_corrections(api: Api, asked: str) -> None:
    alice = api("alice")
    status, told = alice("POST", f"/predictions/{asked}/outcome", {"actual": "virginica"})
    assert (status, told["id"], told["actual"], told["verdict"]) == (201, asked, "virginica", "differs")
    assert told["event"].startswith("evt_") and told["created_at"].endswith("Z")
    alice("POST", f"/predictions/{asked}/outcome", {"actual": "setosa"})
    _, record = alice("GET", f"/predictions/{asked}")
    assert [o["actual"] for o in record["outcomes"]] == ["virginica", "setosa"]
    assert (record["outcome"], record["review"], record["reviews"]) == ("agrees", None, [])
    _, listed = alice("GET", "/predictions?outcome=agrees")
    assert [r["id"] for r in listed["data"]] == [asked]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"actual": "rose"}, ["#/actual"]),
        ({}, ["#/actual"]),
        ({"actual": None}, ["#/actual"]),
        ({"actul": "setosa"}, ["#/actul", "#/actual"]),
        ({"actual": "setosa", "a/b": 1}, ["#/a~1b"]),
    ],
)
def test_what_can_not_be_true_is_refused_with_pointers(
    api: Api, asked: str, body: dict[str, object], pointers: list[str]
) -> None:
    status, problem = api("alice")("POST", f"/predictions/{asked}/outcome", body)
    assert (status, [e["pointer"] for e in problem["errors"]]) == (422, pointers)


@pytest.mark.parametrize(("name", "status"), [("bob", 404), ("carol", 403), ("dave", 201)])
def test_others_than_owner_and_admin_report_nothing(api: Api, asked: str, name: str, status: int) -> None:
    assert api(name)("POST", f"/predictions/{asked}/outcome", {"actual": "setosa"})[0] == status
