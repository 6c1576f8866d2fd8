"""Answers by thresholds, on the record and by every door that hands them out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from flask import Flask
from sklearn.linear_model import LogisticRegression

from webapp.ml.packaging import package
from webapp.services import history, predictions, registry
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.predictions import Ask

Who = Callable[[str], Actor]
X = pd.DataFrame({"x": [float(i) for i in range(100)]})
Y = pd.Series(["regular" if i < 90 else "fraud" for i in range(100)], name="payment")


@pytest.fixture
def published(app: Flask, desk: Desk) -> Callable[..., Any]:
    """published(thresholds): the next version of the model `bank`, live."""

    def publish(thresholds: dict[str, float]) -> Any:
        classes = [{"value": "fraud", "label": "Fraud!"}, {"value": "regular", "label": "In order"}]
        edits = {"output": {"classes": classes, "thresholds": thresholds}}
        made = package(LogisticRegression().fit(X, Y), X, Y, format="skops", edits=edits)
        registry.publish(desk.store, made, name="bank", title="Bank", promote=True)
        return made

    return publish


def ask(desk: Desk, actor: Actor, *values: float, key: str | None = None) -> Any:
    rows = [{"x": value} for value in values]
    asked = Ask(
        "bank", rows, "api", "req", time.time_ns(), many=len(rows) > 1, idempotency_key=key, fingerprint="f"
    )
    return predictions.make(desk, actor, asked)


def test_the_threshold_that_settled_it_is_on_the_answer_and_on_the_record(
    desk: Desk, actor: Who, published: Callable[..., Any]
) -> None:
    published({"fraud": 0.05})
    high, low = ask(desk, actor("alice"), 88.0, 3.0)
    assert high.probabilities["Fraud!"] < 0.5 and (high.prediction, high.label) == ("fraud", "Fraud!")
    assert high.threshold == {"label": "Fraud!", "at_least": 0.05, "reached": True}
    assert low.label == "In order" and low.threshold == {
        "label": "Fraud!",
        "at_least": 0.05,
        "reached": False,
    }
    kept = history.get(actor("alice"), high.id)
    assert (kept.label, kept.threshold, kept.score) == (
        "Fraud!",
        high.threshold,
        high.probabilities["Fraud!"],
    )


def test_a_repeated_request_gets_the_answer_with_its_threshold(
    desk: Desk, actor: Who, published: Callable[..., Any]
) -> None:
    published({"fraud": 0.05})
    first, again = (ask(desk, actor("alice"), 88.0, key="once")[0] for _ in range(2))
    assert first == again and again.threshold is not None


def test_the_same_file_with_another_threshold_is_not_answered_from_memory(
    desk: Desk, actor: Who, published: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.answers, "pays", lambda cost: True)
    answered = []
    for thresholds in ({"fraud": 0.05}, {"fraud": 0.9}, {}):
        published(thresholds)
        answered += [(one.label, one.cached) for _ in range(2) for one in ask(desk, actor("alice"), 88.0)]
    assert answered == [
        ("Fraud!", False), ("Fraud!", True), ("In order", False), ("In order", True), ("In order", False),
        ("In order", True),
    ]  # fmt: skip


def test_an_answer_of_a_version_without_thresholds_has_no_such_member(
    desk: Desk, actor: Who, published: Callable[..., Any]
) -> None:
    published({})
    (made,) = ask(desk, actor("alice"), 88.0)
    assert made.threshold is None
    assert history.get(actor("alice"), made.id).threshold is None
