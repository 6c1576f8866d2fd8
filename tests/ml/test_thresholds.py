from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from webapp.errors import BadArtifact
from webapp.ml.packaging import Package, package
from webapp.ml.runtime import Predictor
from webapp.ml.schema import Rule, Schema

FEATURES = [{"name": "x", "kind": "number", "label": "X"}]


def schema(classes: list[Any], **more: Any) -> Schema:
    listed = [{"value": value, "label": f"the {value}"} for value in classes]
    output = {"kind": "classification", "target": "y", "label": "Y", "classes": listed, "probabilities": True}
    return Schema.from_dict({"features": FEATURES, "output": output | more})


def published(iris: Any, thresholds: dict[str, float]) -> Package:
    X, y = iris
    fitted = LogisticRegression(max_iter=1000).fit(X, y)
    return package(fitted, X, y, format="skops", edits={"output": {"thresholds": thresholds}})


@pytest.mark.parametrize(
    ("thresholds", "shares", "place", "applied"),
    [
        ((0.2, None), [0.2, 0.8], 0, (0, 0.2, True)),  # from the threshold on
        ((0.2, None), [0.19, 0.81], 1, (0, 0.2, False)),
        ((None, 0.9), [0.2, 0.8], 0, (1, 0.9, False)),  # though it is the more probable
        (
            (0.1, 0.2, None),
            [0.2, 0.3, 0.5],
            0,
            (0, 0.1, True),
        ),  # twice its threshold, against one and a half times
        ((0.1, 0.2, None), [0.15, 0.3, 0.55], 1, (1, 0.2, True)),  # as many times: the more probable
        ((0.2, 0.2, None), [0.3, 0.3, 0.4], 0, (0, 0.2, True)),  # the same in all: the first
        ((0.9, None, None), [0.5, 0.2, 0.3], 2, (0, 0.9, False)),  # missed: the most probable of the others
        ((0.9, None, None), [0.5, 0.25, 0.25], 1, (0, 0.9, False)),
        ((0.9, 0.8, 0.7), [0.5, 0.3, 0.2], 0, (0, 0.9, False)),  # all missed: the most probable of all
        ((1.0, None), [1.0, 0.0], 0, (0, 1.0, True)),
    ],
)
def test_a_class_is_answered_from_its_threshold_on(
    thresholds: tuple[float | None, ...], shares: list[float], place: int, applied: tuple[int, float, bool]
) -> None:
    rule = Rule(thresholds)
    assert (rule.choose(shares), rule.applied(shares)) == (place, applied)


def test_thresholds_are_part_of_the_schema_and_its_digest() -> None:
    without, low, high = (schema([0, 1], thresholds=t) for t in ({}, {"1": 0.2}, {"1": 0.3}))
    assert low.output.thresholds == (None, 0.2)
    assert Schema.from_dict(json.loads(json.dumps(low.to_dict()))) == low
    assert len({without.digest, low.digest, high.digest}) == 3


def test_a_schema_without_thresholds_keeps_its_digest_from_before_there_were_any() -> None:
    assert "thresholds" not in schema([0, 1]).to_dict()["output"]


@pytest.mark.parametrize(
    ("classes", "more", "wrong"),
    [
        (["a", "b"], {"thresholds": {"c": 0.5}}, "names “c”, which is no class of the model; it has a, b"),
        (["fraud", "fine"], {"thresholds": {"frau": 0.5}}, "did you mean “fraud”"),
        (["a", "b"], {"thresholds": {"a": 0}}, "#/output/thresholds/a must be a probability"),
        (["a", "b"], {"thresholds": {"a": 1.01}}, "must be a probability"),
        (["a", "b"], {"thresholds": {"a": True}}, "must be a probability"),
        (["a", "b"], {"thresholds": {"a": float("nan")}}, "must be a probability"),
        (["a", "b"], {"thresholds": {"a": "0.5"}}, "must be a probability"),
        (["a", "b"], {"thresholds": [0.5]}, "must be an object"),
        (["a", "b"], {"thresholds": {"a": 0.5}, "probabilities": False}, "with probabilities"),
        (["a"], {"thresholds": {"a": 0.5}}, "two classes"),
        ([], {"thresholds": {"a": 0.5}, "kind": "regression"}, "only a classification"),
    ],
)
def test_thresholds_that_nothing_can_be_answered_by_are_refused(
    classes: list[Any], more: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(BadArtifact, match=wrong):
        schema(classes, **more)


def test_one_row_and_many_are_answered_by_thresholds_with_probabilities_unchanged(iris: Any) -> None:
    plain, low = published(iris, {}), published(iris, {"virginica": 0.05})
    rows = [tuple(row) for row in iris[0].to_numpy().tolist()]
    before, after = (Predictor.load(p.files.__getitem__, p.manifest).predict(rows) for p in (plain, low))
    assert after.probabilities is not None and np.allclose(after.probabilities, before.probabilities or [])
    expected = [
        "virginica" if shares[2] >= 0.05 else value
        for value, shares in zip(before.values, after.probabilities, strict=True)
    ]
    assert after.values == expected != before.values
    predictor = Predictor.load(low.files.__getitem__, low.manifest)
    assert [predictor.predict([row]).values[0] for row in rows] == expected


def test_scores_and_profile_are_those_of_the_answers_given(iris: Any) -> None:
    made = published(iris, {"virginica": 0.05})
    predictor = Predictor.load(made.files.__getitem__, made.manifest)
    answered = predictor.predict([tuple(row) for row in iris[0].to_numpy().tolist()]).values
    assert made.manifest["metrics"]["accuracy"] == np.mean(
        [a == b for a, b in zip(answered, iris[1], strict=True)]
    )
    counts = json.loads(made.files["reference.json"])["output"]["counts"]
    assert counts["virginica"] == answered.count("virginica") > 50


def test_a_model_without_thresholds_is_asked_as_before(iris_package: Package) -> None:
    predictor = Predictor.load(iris_package.files.__getitem__, iris_package.manifest)
    assert predictor.rule is None
    assert type(predictor._engines[predictor._one]).__name__ in ("OnnxEngine", "SklearnEngine")
