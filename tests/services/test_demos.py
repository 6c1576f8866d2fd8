"""Every demo model, asked as people ask it, beside its own estimator in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flask import Flask

from webapp.ml.demos import Demo, demos
from webapp.ml.packaging import package
from webapp.ml.probes import probes
from webapp.ml.sampling import labelled
from webapp.services import predictions, registry
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.predictions import Ask

Who = Callable[[str], Actor]
#: as much as may come from single precision
SHARE, VALUE = 1e-5, 1e-5
#: whose images and rankings tests/api/test_demos.py asks about
ELSEWHERE = {"digits", "recommendation"}


@pytest.mark.parametrize(
    "demo", [demo for demo in demos() if demo.name not in ELSEWHERE], ids=lambda demo: demo.name
)
def test_a_demo_answers_as_its_estimator_does(app: Flask, desk: Desk, actor: Who, demo: Demo) -> None:
    estimator, X, y, X_test, y_test = demo.make()
    made = package(estimator, X, y, format="skops", test=(X_test, y_test), card=demo.card, edits=demo.edits)
    name = f"{demo.name}-asked"
    registry.publish(desk.store, made, name=name, title=demo.title)
    held_out = labelled(X_test, y_test, made.schema).rows
    rows = [*held_out, *probes(made.schema, held_out)]
    assert len(rows) >= 200
    asked = [dict(zip(made.schema.names, row, strict=True)) for row in rows]
    answers: Any = predictions.make(
        desk, actor("alice"), Ask(name, asked, "api", "req", time.time_ns(), many=True)
    )
    frame = _frame(rows, X)
    if made.schema.output.kind == "regression":
        assert [a.prediction for a in answers] == pytest.approx(estimator.predict(frame), rel=VALUE)
        return
    shares = estimator.predict_proba(frame)
    assert np.abs(np.array([list(a.probabilities.values()) for a in answers]) - shares).max() <= SHARE
    expected = estimator.predict(frame).tolist()
    if made.schema.output.thresholds:
        least, first, second = made.schema.output.thresholds[0], *estimator.classes_
        expected = [first if share >= least else second for share in shares[:, 0]]
    assert [a.prediction for a in answers] == expected


def _frame(rows: list[tuple[Any, ...]], X: pd.DataFrame) -> Any:
    frame = pd.DataFrame(rows, columns=X.columns)
    for name, dtype in X.dtypes.items():
        frame[name] = frame[name].astype(object).where(frame[name].notna(), np.nan).astype(dtype)
    return frame["text"] if list(X.columns) == ["text"] else frame


def test_the_scores_of_the_demos_are_on_data_they_have_not_seen() -> None:
    for demo in demos():
        _, X, _, X_test, _ = demo.make()
        assert len(X_test) and not set(X.index) & set(X_test.index), demo.name


def test_every_demo_says_what_it_is_not_for() -> None:
    assert next(demo.name for demo in demos()) == "iris"
    for demo in demos():
        assert all(demo.card.values()) and demo.edits, demo.name
