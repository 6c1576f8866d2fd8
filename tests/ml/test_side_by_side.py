from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from webapp.ml.packaging import package
from webapp.ml.runtime import Predictor
from webapp.ml.schema import Schema
from webapp.ml.side_by_side import side_by_side


def served(model: Any, X: pd.DataFrame, y: Any, edits: dict[str, Any] | None = None) -> Predictor:
    made = package(model.fit(X, y), X, y, format="skops", edits=edits)
    return Predictor.load(made.files.__getitem__, made.manifest)


@pytest.fixture(scope="module")
def both(iris: Any) -> tuple[Predictor, Predictor, list[dict[str, Any]]]:
    X, y = iris
    weak = served(LogisticRegression(C=0.001, max_iter=1000), X, y)
    return served(LogisticRegression(max_iter=1000), X, y), weak, X.to_dict("records")


def test_a_version_agrees_with_itself(both: Any) -> None:
    found = side_by_side(both[2], both[0], both[0])
    assert (found.rows, found.alike, found.largest_gap, found.most) == (150, 150, 0, [])


def test_answers_are_counted_by_before_and_after(both: Any) -> None:
    before, after, rows = both
    found = side_by_side(rows, before, after)
    answers = [one.predict([one.schema.check(row).values for row in rows]).values for one in (before, after)]
    pairs = list(zip(*answers, strict=True))
    assert found.alike == sum(a == b for a, b in pairs) < 150
    for i, a in enumerate(found.labels):
        assert found.changes[i] == [pairs.count((a, b)) for b in found.labels]


def test_the_rows_that_differ_most_come_first(both: Any) -> None:
    before, after, rows = both
    found = side_by_side(rows, before, after)
    assert len(found.most) == 10
    assert [one.gap for one in found.most] == sorted((one.gap for one in found.most), reverse=True)
    furthest = found.most[0]
    assert furthest.gap == found.largest_gap and furthest.inputs == rows[furthest.row]
    shares = [
        one.predict([one.schema.check(furthest.inputs).values]).probabilities for one in (before, after)
    ]
    assert furthest.gap == pytest.approx(
        max(abs(a - b) for a, b in zip(shares[0][0], shares[1][0], strict=True)), abs=1e-6
    )


def narrowed(version: Predictor, **members: Any) -> Predictor:
    """The same version with a schema whose first feature has other members."""
    first, *others = version.schema.features
    made = Predictor(Schema((replace(first, **members), *others), version.schema.output), "", COSTS, {})
    made.predict = version.predict  # type: ignore[method-assign]
    return made


COSTS = {"one": "onnx", "many": "onnx", "switch_at": 2, "one_us": 1, "many_us_per_row": 1}


def test_rows_that_one_version_refuses_are_left_out_and_said(both: Any) -> None:
    before, _, rows = both
    found = side_by_side(rows, before, narrowed(before, maximum=5.0))
    assert found.left_out == sum(row["sepal_length"] > 5 for row in rows)
    assert found.rows == 150 - found.left_out and "at most 5" in found.why_left_out


def test_no_row_may_be_left(both: Any) -> None:
    before, _, rows = both
    found = side_by_side(rows, before, narrowed(before, maximum=0.5))
    assert (found.rows, found.alike, found.interval, found.mean_gap, found.most) == (0, 0, None, None, [])


def test_a_feature_that_one_version_lacks_is_named_and_not_given_to_it(iris: Any, both: Any) -> None:
    X, y = iris
    smaller = served(LogisticRegression(max_iter=1000), X.drop(columns="sepal_width"), y)
    for pair in ((both[0], smaller), (smaller, both[0])):
        found = side_by_side(both[2], *pair)
        assert (found.rows, found.without) == (150, ["sepal_width"])


def test_numbers_are_alike_within_what_is_given(iris: Any) -> None:
    X, _ = iris
    y = X["petal_width"]
    full = served(LinearRegression(), X[["petal_length", "sepal_width"]], y)
    part = served(LinearRegression(), X[["petal_length"]], y)
    rows = X[["petal_length", "sepal_width"]].to_dict("records")
    found = side_by_side(rows, full, part, within=0.05)
    gaps = [
        abs(full.predict([(a, b)]).values[0] - part.predict([(a,)]).values[0])
        for a, b in X[["petal_length", "sepal_width"]].to_numpy()
    ]
    assert found.alike == sum(gap <= 0.05 for gap in gaps)
    assert found.mean_gap == pytest.approx(sum(gaps) / 150, rel=1e-4)
    assert (found.labels, found.changes) == ([], [])
    assert side_by_side(rows, full, part).alike is None
