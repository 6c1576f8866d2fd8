"""Predicting over the API, and reading it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import ApiClient

SETOSA = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
Api = Callable[[str], ApiClient]
PUBLIC = {
    "id", "model", "version", "prediction", "label", "probabilities", "warnings", "cached", "latency_ms", "created_at",
}  # fmt: skip


def example(client: ApiClient, name: str) -> dict[str, Any]:
    """The row that the description of the API shows for a model."""
    operation = client("GET", "/openapi.json")[1]["paths"][f"/models/{name}/predict"]["post"]
    return operation["requestBody"]["content"]["application/json"]["example"]["inputs"]


def test_one_row_gets_one_answer(api: Api) -> None:
    status, answer = api("alice")("POST", "/models/iris/predict", {"inputs": SETOSA})
    assert status == 200
    assert answer.keys() == PUBLIC
    assert (answer["label"], answer["version"], answer["created_at"][-1]) == ("setosa", "1", "Z")


def test_regression_answers_with_a_number_and_its_unit(api: Api) -> None:
    alice = api("alice")
    row = example(alice, "diabetes")
    status, answer = alice("POST", "/models/diabetes/predict", {"inputs": row})
    assert status == 200
    assert answer.keys() == PUBLIC | {"unit"}
    assert isinstance(answer["prediction"], float)
    assert (answer["label"], answer["probabilities"]) == (None, None)


def test_missing_values_and_strangers_are_answered_where_the_model_can(api: Api) -> None:
    alice = api("alice")
    features = alice("GET", "/models/purchase")[1]["schema"]["features"]
    nothing = {f["name"]: None for f in features if f["nullable"]}
    row = {**example(alice, "purchase"), **nothing}
    assert nothing
    status, answer = alice("POST", "/models/purchase/predict", {"inputs": row})
    assert status == 200, answer
    open_category = next(f["name"] for f in features if f["kind"] == "category" and not f["closed"])
    status, answer = alice("POST", "/models/purchase/predict", {"inputs": {**row, open_category: "Atlantis"}})
    assert status == 200
    assert {"feature": open_category, "kind": "unseen_category"}.items() <= answer["warnings"][0].items()


def test_a_value_outside_the_training_range_is_warned_about(api: Api) -> None:
    _, answer = api("alice")("POST", "/models/iris/predict", {"inputs": {**SETOSA, "petal_length": 9.1}})
    [warning] = answer["warnings"]
    assert (warning["feature"], warning["kind"]) == ("petal_length", "outside_range")
    assert "6.9" in warning["detail"]


def test_a_version_or_the_live_alias_can_be_named(api: Api) -> None:
    alice = api("alice")
    for named in ({"version": "1"}, {"alias": "live"}):
        assert alice("POST", "/predict", {"inputs": SETOSA, **named})[0] == 200
    assert alice("POST", "/predict", {"inputs": SETOSA, "version": "2"})[0] == 404


def test_bad_rows_can_be_told_beside_good_ones(api: Api) -> None:
    body = {"instances": [SETOSA, {**SETOSA, "petal_width": "wide"}], "on_error": "row"}
    status, answer = api("alice")("POST", "/predict", body)
    assert status == 200
    good, bad = answer["predictions"]
    assert good["label"] == "setosa"
    assert bad["errors"][0]["pointer"] == "#/instances/1/petal_width"


def test_a_request_sent_again_with_its_key_is_answered_by_the_same_record(api: Api) -> None:
    alice = api("alice")
    key = {"Idempotency-Key": '"8e03978e-40d5"'}
    first = alice("POST", "/predict", {"inputs": SETOSA}, headers=key)
    assert alice("POST", "/predict", {"inputs": SETOSA}, headers=key) == first
    assert alice("POST", "/predict", {"inputs": {**SETOSA, "petal_width": 0.3}}, headers=key)[0] == 422
    assert alice("POST", "/predict", {"inputs": SETOSA}, headers={"Idempotency-Key": "a b"})[0] == 422


def test_pages_of_records_hold_each_once_by_offset_and_by_cursor(api: Api) -> None:
    alice = api("alice")
    made = alice("POST", "/predict", {"instances": [SETOSA] * 7})[1]["predictions"]
    newest_first = [m["id"] for m in reversed(made)]
    by_offset = [
        r["id"] for n in (0, 3, 6) for r in alice("GET", f"/predictions?limit=3&offset={n}")[1]["data"]
    ]
    by_cursor, cursor = [], ""
    while cursor is not None:
        page = alice("GET", f"/predictions?limit=3&cursor={cursor}")[1]
        by_cursor += [r["id"] for r in page["data"]]
        cursor = page["next_cursor"]
    assert by_offset == by_cursor == newest_first


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "offset=-1", "offset=1&cursor=x", "from=soon"]
)
def test_a_query_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    assert api("alice")("GET", f"/predictions?{query}")[0] == 422


def test_a_forged_or_foreign_cursor_is_refused(api: Api) -> None:
    alice, bob = api("alice"), api("bob")
    alice("POST", "/predict", {"instances": [SETOSA] * 2})
    cursor = alice("GET", "/predictions?limit=1")[1]["next_cursor"]
    assert bob("GET", f"/predictions?limit=1&cursor={cursor}")[0] == 400
    assert alice("GET", f"/predictions?limit=1&cursor={cursor}x")[0] == 400


def test_others_records_look_absent(api: Api) -> None:
    made = api("alice")("POST", "/predict", {"inputs": SETOSA})[1]["id"]
    theirs, absent = api("bob")("GET", f"/predictions/{made}"), api("bob")("GET", "/predictions/pred_0")
    assert theirs[0] == absent[0] == 404
    assert theirs[1]["detail"] == absent[1]["detail"]
    assert api("bob")("GET", "/predictions")[1]["data"] == []
    assert api("carol")("GET", f"/predictions/{made}")[1]["user"] == "alice"


def test_an_auditor_may_not_predict(api: Api) -> None:
    assert api("carol")("POST", "/predict", {"inputs": SETOSA})[0] == 403


def test_what_stands_in_the_address_is_not_ignored(api: Api) -> None:
    status, answer = api("alice")("POST", "/models/iris/predict?version=99&alias=x", {"inputs": SETOSA})
    assert status == 422
    assert [e["pointer"] for e in answer["errors"]] == ["#/version", "#/alias"]


def test_a_misspelt_field_is_told_apart_and_its_name_is_given(api: Api) -> None:
    status, answer = api("alice")("POST", "/predict", {"inputs": SETOSA, "on_eror": "row", "a/b": 1})
    assert status == 422
    assert {e["pointer"]: e["detail"] for e in answer["errors"]} == {
        "#/on_eror": "is not a field of this request; remove it; did you mean “on_error”?",
        "#/a~1b": "is not a field of this request; remove it",
    }
