from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from webapp.errors import BadArtifact
from webapp.ml.costs import choose, read
from webapp.ml.packaging import package
from webapp.ml.schema import Choice, Output, Rule


def output(*classes: Any, **more: Any) -> Output:
    return Output("classification", "y", "Y", tuple(Choice(c, str(c)) for c in classes), None, True, **more)


def sample(n: int, n_classes: int = 2) -> tuple[list[int], list[list[float]]]:
    """Truth drawn from the very probabilities: a calibrated model."""
    chance = np.random.default_rng(5)
    shares = chance.dirichlet([0.4] + [1.5] * (n_classes - 1), n)
    truth = [int(chance.choice(n_classes, p=row)) for row in shares]
    return truth, shares.tolist()


def cost(matrix: Any, truth: list[int], answered: list[int]) -> float:
    return float(np.mean([matrix[t][a] for t, a in zip(truth, answered, strict=True)]))


def test_no_other_threshold_costs_less_on_the_sample() -> None:
    truth, shares = sample(400)
    told = choose({"false_positive": 1, "false_negative": 9}, output(0, 1), truth, shares)
    least = told.output.thresholds[1]
    assert told.output.thresholds[0] is None and least is not None
    matrix = told.facts["matrix"]
    assert matrix == [[0, 1], [9, 0]]
    own = sorted({row[1] for row in shares})
    tried = [(a + b) / 2 for a, b in pairwise([0.0, *own, 1.0])]
    costs = [
        cost(matrix, truth, [Rule((None, t)).choose(row) for row in shares]) for t in tried if 0 < t <= 1
    ]
    assert told.facts["expected"] == pytest.approx(min(costs))
    assert told.facts["expected"] < told.facts["expected_most_probable"]
    assert told.facts["thresholds"] == {"1": least}


def test_a_calibrated_model_gets_the_threshold_of_the_theory() -> None:
    truth, shares = sample(20_000)
    told = choose({"false_positive": 1, "false_negative": 9}, output(0, 1), truth, shares)
    assert told.output.thresholds[1] == pytest.approx(0.1, abs=0.04)  # 1 / (1 + 9)


def test_where_every_threshold_between_costs_the_same_the_theory_decides() -> None:
    told = choose(
        {"false_positive": 1, "false_negative": 4, "positive": "bad"},
        output("bad", "good"),
        ["bad", "good"],
        [[0.9, 0.1], [0.1, 0.9]],
    )
    assert told.output.thresholds == (0.2, None)


@pytest.mark.parametrize("n_classes", [3, 5])
def test_of_more_classes_the_answers_cost_no_more_than_the_most_probable(n_classes: int) -> None:
    truth, shares = sample(3000, n_classes)
    matrix = np.ones((n_classes, n_classes)) - np.eye(n_classes)
    matrix[0] *= 20
    told = choose(matrix.tolist(), output(*range(n_classes)), truth, shares)
    rule = Rule(told.output.thresholds)
    assert sum(t or 0 for t in told.output.thresholds) <= 1
    assert all(rule.applied(row).reached for row in shares)
    assert told.facts["expected"] == pytest.approx(cost(matrix, truth, [rule.choose(row) for row in shares]))
    best = [
        int((np.array(row) @ matrix).argmin()) for row in shares
    ]  # what is best where probabilities are true
    assert told.facts["expected"] <= 1.02 * cost(matrix, truth, best)
    assert told.facts["expected"] < 0.8 * told.facts["expected_most_probable"]


def test_a_threshold_never_lies_on_a_score_of_the_sample() -> None:
    truth, shares = sample(300)
    for false_negative in (0.1, 1, 3, 30, 1000):
        told = choose({"false_positive": 1, "false_negative": false_negative}, output(0, 1), truth, shares)
        assert min(abs(row[1] - (told.output.thresholds[1] or 0)) for row in shares) > 0


@pytest.mark.parametrize(
    "shares", [[[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5]] * 2, [[0.0, 1.0]] * 2, [[1.0, 0.0]] * 2]
)
def test_a_model_that_is_always_sure_gets_a_usable_threshold(shares: list[list[float]]) -> None:
    told = choose({"false_positive": 1, "false_negative": 5}, output(0, 1), [1, 0], shares)
    assert 0 < (told.output.thresholds[1] or 0) <= 1
    three = choose(
        [[0, 1, 1], [1, 0, 1], [1, 1, 0]], output(0, 1, 2), [1, 0], [[*row, 0.0] for row in shares]
    )
    assert all(0 < (t or 0) <= 1 for t in three.output.thresholds)


@pytest.mark.parametrize(
    ("costs", "classes", "wrong"),
    [
        ({"false_positive": 1}, ["a", "b"], "needs false_positive, false_negative"),
        ({"false_positive": 0, "false_negative": 1}, [0, 1], "numbers above 0"),
        ({"false_positive": 1, "false_negative": "9"}, [0, 1], "numbers above 0"),
        ({"false_positive": 1, "false_negative": float("inf")}, [0, 1], "numbers above 0"),
        (
            {"false_positive": 1, "false_negative": 9},
            ["fine", "fraud"],
            "/positive must be the class .* fine / fraud",
        ),
        (
            {"false_positive": 1, "false_negative": 9, "positive": "x"},
            ["fine", "fraud"],
            "/positive must be the",
        ),
        ({"false_positives": 1}, [0, 1], "did you mean “false_positive”"),
        ({"false_positive": 1, "false_negative": 9}, [0, 1, 2], "for 3 classes give a list of 3 rows"),
        ([[0, 1]], [0, 1], "must be a list of 2 rows of 2 numbers"),
        ([[0, 1], [-1, 0]], [0, 1], "must be a list of 2 rows of 2 numbers"),
        ([[0, 1], [1, 2]], [0, 1], "a wrong answer must cost more"),
        ("cheap", [0, 1], "must be a list of 2 rows"),
    ],
)
def test_costs_that_say_nothing_are_refused(costs: Any, classes: list[Any], wrong: str) -> None:
    with pytest.raises(BadArtifact, match=wrong):
        read(costs, classes)


def test_costs_are_taken_from_the_edits_and_the_threshold_found_on_the_test_data() -> None:
    X, y = make_classification(1200, weights=[0.9], flip_y=0.05, random_state=1)
    frame, target = pd.DataFrame(X, columns=[f"f{i}" for i in range(20)]), pd.Series(y, name="bad")
    fitted = LogisticRegression(max_iter=500).fit(frame[:600], target[:600])
    edits = {"output": {"label": "Bad", "costs": {"false_positive": 1, "false_negative": 8}}}
    test = (frame[600:], target[600:])
    made = package(fitted, frame[:600], target[:600], format="skops", test=test, edits=edits)
    facts, least = made.manifest["metrics"]["costs"], made.schema.output.thresholds[1]
    share = fitted.predict_proba(frame[600:])[:, 1]
    assert least is not None and made.manifest["schema"]["output"]["thresholds"] == {"1": least}
    assert facts["expected"] == pytest.approx(cost(facts["matrix"], y[600:], (share >= least).astype(int)))
    confusion = np.array(made.manifest["metrics"]["confusion"])
    assert (confusion * facts["matrix"]).sum() / 600 == pytest.approx(facts["expected"])
    assert edits["output"]["costs"], "the caller's edits are left alone"


@pytest.mark.parametrize("more", [{"thresholds": {"1": 0.3}}])
def test_costs_beside_thresholds_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(BadArtifact, match="not both"):
        choose(
            {"false_positive": 1, "false_negative": 8}, output(0, 1, thresholds=(None, 0.3)), [1], [[0, 1]]
        )


def test_costs_without_probabilities_are_refused() -> None:
    with pytest.raises(BadArtifact, match="with probabilities"):
        choose({"false_positive": 1, "false_negative": 8}, output(0, 1), [1], None)
