"""History, outcomes and models as tables."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from parecer_client import Client, InvalidInput

from tests.client.test_predict import ROW, VISIT

Desk = Callable[[str], Client]


def test_the_history_follows_its_pages(desk: Desk) -> None:
    bob = desk("bob")
    answers = bob.predict_frame("iris", pd.DataFrame([ROW] * 230), subject=[f"h{i:03}" for i in range(230)])
    found = bob.history(model="iris", q="h", limit=None)
    assert sorted(found["id"]) == sorted(answers["record"])
    assert str(found["created_at"].dtype).endswith("UTC]") and found["created_at"].is_monotonic_decreasing
    assert found.loc[0, "input_petal_width"] == 0.2 and 0.9 < found.loc[0, "probability_setosa"] <= 1
    assert len(bob.history(limit=120)) == 120


def test_the_history_takes_filters_of_pythons_own_kinds(desk: Desk) -> None:
    alice = desk("alice")
    odd = alice.predict("iris", ROW | {"petal_length": 9.0}, subject="odd")
    since = pd.Timestamp(odd["created_at"])
    assert alice.history(since=since, subject="odd", warned=True)["id"].tolist() == [odd["id"]]
    assert "petal length" in alice.history(subject="odd").loc[0, "warnings"].lower()
    assert alice.history(subject="odd", warned=False).empty
    assert len(alice.history(until="2020-01-01")) == 0 and "id" in alice.history(until="2020-01-01")


def test_a_filter_that_is_none_is_refused_by_its_name(desk: Desk) -> None:
    with pytest.raises(InvalidInput) as refused:
        desk("alice").history(modle="iris")
    assert [problem.field for problem in refused.value.problems] == ["modle"]


def test_an_outcome_is_kept_beside_the_record(desk: Desk) -> None:
    alice = desk("alice")
    record = alice.predict("purchase", VISIT)["id"]
    told = alice.outcome(record, pd.Series(["yes"])[0])
    assert told["verdict"] in ("agrees", "differs")
    assert [one["actual"] for one in alice.record(record)["outcomes"]] == ["Purchase"]


def test_models_and_versions_are_tables(desk: Desk) -> None:
    alice = desk("alice")
    models, versions = alice.models(), alice.versions("iris")
    assert set(models["name"]) >= {"iris", "diabetes", "purchase"}
    assert versions["version"].tolist() == ["1"] and versions["live"].tolist() == [True]
    assert alice.model("iris")["task"] == "classification"
