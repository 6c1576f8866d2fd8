"""Answers for one row and for frames, from a real server."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from parecer_client import Client, InvalidInput, NotFound, rows

from tests.client.scripted import Reply, scripted
from webapp.ml.demos import demos

Desk = Callable[[str], Client]
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
VISIT = {"age": 41, "minutes": 3.5, "pages": 4, "channel": "search", "returning": True}


def sample(name: str) -> tuple[Any, pd.DataFrame]:
    estimator, _, _, X, _ = next(demo for demo in demos() if demo.name == name).make()
    return estimator, X


def test_one_row_is_answered_and_on_the_record(desk: Desk) -> None:
    alice = desk("alice")
    answer = alice.predict("iris", ROW, subject="case 1")
    kept = alice.record(answer["id"])
    assert answer["label"] == "setosa" and kept["inputs"] == ROW and kept["subject"] == "case 1"


def test_a_row_of_a_frame_is_a_row(desk: Desk) -> None:
    _, X = sample("iris")
    answer = desk("alice").predict("iris", X.iloc[0], version=1)
    assert answer["version"] == "1" and answer["label"] in ("setosa", "versicolor", "virginica")


@pytest.mark.parametrize("name", ["iris", "purchase"])
def test_a_frame_gets_the_estimators_own_answers(desk: Desk, name: str) -> None:
    estimator, X = sample(name)
    X = X.sample(frac=1, random_state=1)
    answers = desk("alice").predict_frame(name, X, chunk=50)
    assert list(answers.index) == list(X.index)
    assert answers["prediction"].tolist() == estimator.predict(X).tolist()
    labels = [column for column in answers if column.startswith("probability_")]
    assert np.allclose(answers[labels], estimator.predict_proba(X), atol=1e-5)
    assert (answers["error"] == "").all() and answers["record"].is_unique


def test_a_frame_of_a_regression_gets_numbers(desk: Desk) -> None:
    estimator, X = sample("diabetes")
    answers = desk("alice").predict_frame("diabetes", X)
    assert answers["prediction"].dtype == "float64" and "label" not in answers
    assert np.allclose(answers["prediction"], estimator.predict(X), rtol=1e-4)


def test_a_bad_row_says_why_in_its_place(desk: Desk) -> None:
    frame = pd.DataFrame(
        [ROW, ROW | {"petal_width": -1}, ROW | {"petal_width": np.inf}, ROW], index=list("abca")
    )
    answers = desk("alice").predict_frame("iris", frame)
    assert answers["label"].dropna().tolist() == ["setosa", "setosa"] and list(answers.index) == list("abca")
    assert answers["error"].tolist() == [
        "",
        "Petal width must be at least 0 cm; -1 is below",
        "petal_width is infinite; give a finite number, or None where it is missing",
        "",
    ]
    assert answers["record"].notna().tolist() == [True, False, False, True]


def test_or_it_refuses_the_frame_naming_the_row(desk: Desk) -> None:
    frame = pd.DataFrame([ROW] * 5 + [ROW | {"petal_width": -1}])
    with pytest.raises(InvalidInput) as refused:
        desk("alice").predict_frame("iris", frame, on_error="all", chunk=2)
    assert [problem.pointer for problem in refused.value.problems] == ["5/petal_width"]
    endless = pd.DataFrame([ROW, ROW | {"petal_width": np.inf}])
    with pytest.raises(InvalidInput, match="nothing was predicted"):
        desk("alice").predict_frame("iris", endless, on_error="all")


def test_gaps_of_every_make_are_missing_values(desk: Desk) -> None:
    frame = pd.DataFrame([VISIT] * 4)
    frame["age"] = [41, np.nan, None, 30]
    frame["minutes"] = pd.array([1, None, pd.NA, 2], "Int64")
    frame["channel"] = pd.Categorical(["search", None, np.nan, "search"])
    frame["returning"] = pd.array([True, False, False, True], "boolean")
    alice = desk("alice")
    answers = alice.predict_frame("purchase", frame, on_error="all")
    kept = [alice.record(record)["inputs"] for record in answers["record"]]
    assert [row["age"] for row in kept] == [41.0, None, None, 30.0]
    assert [row["minutes"] for row in kept] == [1, None, None, 2]
    assert [row["channel"] for row in kept] == ["search", None, None, "search"]
    assert [row["returning"] for row in kept] == [True, False, False, True]


def test_whole_numbers_that_pandas_made_floats_are_whole_again() -> None:
    schema = {"features": [{"name": "n", "kind": "integer"}, {"name": "x", "kind": "number"}]}
    sent, _ = rows.readable({"n": 3.0, "x": 3.0}, rows.kinds(schema))
    assert [type(value) for value in sent.values()] == [int, float]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (Decimal("1.5"), 1.5),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (pd.NA, None),
        (float("nan"), None),
        (pd.Timestamp("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05+00:00"),
        (np.datetime64("2026-01-02"), "2026-01-02T00:00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_values_of_every_make_are_sent_as_json_has_them(value: Any, sent: Any) -> None:
    assert rows.plain(value) == sent and type(rows.plain(value)) is type(sent)


def test_what_is_no_single_value_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        rows.row({"a": [1], "b": 1.0, "c": float("-inf")})
    assert [problem.field for problem in refused.value.problems] == ["a", "c"]


def test_columns_that_are_no_features_stay_at_home(desk: Desk) -> None:
    frame = pd.DataFrame(
        [ROW | {"species": "setosa", "case": 7.0}, ROW | {"species": "setosa", "case": None}]
    )
    alice = desk("alice")
    answers = alice.predict_frame("iris", frame, subject="case")
    kept = [alice.record(record) for record in answers["record"]]
    assert [record["subject"] for record in kept] == ["7", None]  # a column of numbers with a gap
    assert all(record["inputs"] == ROW for record in kept)


def test_subjects_may_be_a_list_of_their_own(desk: Desk) -> None:
    alice = desk("alice")
    answers = alice.predict_frame(
        "iris", pd.DataFrame([ROW] * 30), subject=[f"s{i % 3}" for i in range(30)], chunk=4
    )
    subjects = alice.history(model="iris", limit=30).set_index("id")["subject"]
    assert subjects[answers["record"]].tolist() == [f"s{i % 3}" for i in range(30)]
    with pytest.raises(ValueError, match="2 subjects for 1 rows"):
        alice.predict_frame("iris", pd.DataFrame([ROW]), subject=["a", "b"])


def test_a_feature_that_is_not_there_is_missed_before_anything_is_sent(desk: Desk) -> None:
    frame = pd.DataFrame([ROW]).rename(columns={"sepal_width": "sepal_widht"})
    with pytest.raises(ValueError, match=r"lacks 'sepal_width' \(is it 'sepal_widht'\?\)"):
        desk("alice").predict_frame("iris", frame)


def test_classes_of_another_version_get_columns_too() -> None:
    output = {"kind": "class", "probabilities": True, "classes": [{"label": "no"}, {"label": "yes"}]}
    feature = {"name": "a", "kind": "number", "nullable": False, "default": None}
    described = Reply(200, {"version": "1", "schema": {"features": [feature], "output": output}})
    made = [{"version": "1", "probabilities": {"no": 1.0, "yes": 0.0}}]
    made += [{"version": "2", "probabilities": {"no": 0.5, "perhaps": 0.5}}]
    with scripted(described, Reply(200, {"predictions": made})) as (address, got):
        answers = Client(address, "t", progress=False).predict_frame("m", pd.DataFrame({"a": [1, 2]}))
    assert answers["version"].tolist() == ["1", "2"] and "version" not in json.loads(got[1].body)
    assert answers.filter(like="probability_").iloc[1].fillna(-1).tolist() == [0.5, -1, 0.5]


def test_an_empty_frame_has_an_empty_answer(desk: Desk) -> None:
    answers = desk("alice").predict_frame("iris", pd.DataFrame([ROW]).iloc[:0])
    assert len(answers) == 0 and {"prediction", "label", "record"} <= set(answers)


def test_a_model_that_is_not_there_is_said_to_be_absent(desk: Desk) -> None:
    with pytest.raises(NotFound) as refused:
        desk("alice").predict("irris", ROW)
    assert refused.value.status == 404 and refused.value.request_id
