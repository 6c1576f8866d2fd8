from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as scikit

from webapp.ml import delong, intervals, metrics, resampling


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),  # R: binom::binom.confint(…, methods = "wilson")
    [
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (1, 1, 0.2065493, 1.0),
    ],
)
def test_wilsons_interval_is_the_known_one(hits: int, n: int, low: float, high: float) -> None:
    assert intervals.wilson(hits, n) == pytest.approx((low, high), abs=1e-6)


def test_no_rows_have_no_interval() -> None:
    assert intervals.wilson(0, 0) is None


def by_pairs(truth: Any, scores: Any) -> tuple[float, float]:
    """Area and variance from every pair of a positive and a negative row, as DeLong et al. define them."""
    above, below = scores[truth == 1], scores[truth == 0]
    wins = np.array([[(x > y) + (x == y) / 2 for y in below] for x in above])
    return float(wins.mean()), float(
        wins.mean(axis=1).var(ddof=1) / len(above) + wins.mean(axis=0).var(ddof=1) / len(below)
    )


def test_area_and_variance_are_those_of_every_pair() -> None:
    chance = np.random.default_rng(5)
    truth = chance.integers(0, 2, 90)
    scores = np.round(truth * 0.3 + chance.random(90), 1)  # with ties
    found = delong.area(truth, np.stack([1 - scores, scores], axis=1))
    area, variance = by_pairs(truth, scores)
    assert found.area == pytest.approx(area, abs=1e-12)
    assert delong.variance(found.contributions, truth) == pytest.approx(variance, abs=1e-12)
    assert found.area == pytest.approx(scikit.roc_auc_score(truth, scores))


def test_the_mean_of_areas_varies_as_its_resamples_do() -> None:
    chance = np.random.default_rng(8)
    truth = np.repeat([0, 1, 2], (60, 90, 50))
    shares = chance.dirichlet((1, 1, 1), 200) + np.eye(3)[truth] * 0.2
    shares /= shares.sum(axis=1, keepdims=True)
    found = delong.area(truth, shares)
    assert found.area == pytest.approx(scikit.roc_auc_score(truth, shares, multi_class="ovr"))
    drawn = next(resampling.draws(truth)).rows
    again = [delong.area(truth[rows], shares[rows]).area for rows in drawn]
    assert sqrt(delong.variance(found.contributions, truth) or 0) == pytest.approx(np.std(again), rel=0.2)


def test_an_area_of_one_has_no_interval() -> None:
    truth, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])
    found = delong.area(truth, np.stack([1 - scores, scores], axis=1))
    assert found.area == 1 and delong.interval(found, truth) is None


def test_a_mean_of_resamples_spreads_like_its_standard_error() -> None:
    values = np.random.default_rng(2).exponential(1, 12_000)
    for part in (values[:400], values):  # whole, and more than one resample draws
        low, high = resampling.percentiles(resampling.means(part, np.zeros(len(part)))) or (0, 0)
        expected = 2 * delong.Z95 * part.std() / sqrt(len(part))
        assert high - low == pytest.approx(expected, rel=0.08)
        assert low < part.mean() < high


def test_few_distinct_values_are_drawn_as_any_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).choice([-1.0, 0.0, 1.0], 300, p=[0.1, 0.6, 0.3])
    strata = np.repeat([0, 1], 150)
    counted = resampling.means(values, strata)
    monkeypatch.setattr(resampling, "FEW", 0)
    drawn = resampling.means(values, strata)
    assert counted.std() == pytest.approx(drawn.std(), rel=0.07)
    assert counted.mean() == pytest.approx(drawn.mean(), abs=0.005)


def test_resamples_keep_the_rows_of_each_class_and_are_the_same_each_time() -> None:
    strata = np.repeat([0, 1, 2], (50, 30, 20))
    first, again = next(resampling.draws(strata)), next(resampling.draws(strata))
    assert (first.rows == again.rows).all()
    assert (np.sort(strata[first.rows], axis=1) == strata).all()
    assert first.weights.sum() == pytest.approx(1)


def classified(seed: int, n: int = 150) -> tuple[list[int], list[int], list[list[float]]]:
    chance = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2], n // 3)
    shares = chance.dirichlet((1, 1, 1), len(truth)) + np.eye(3)[truth] * 0.3
    shares /= shares.sum(axis=1, keepdims=True)
    return truth.tolist(), shares.argmax(axis=1).tolist(), shares.tolist()


def test_every_metric_of_a_classifier_lies_within_its_interval() -> None:
    scores = metrics.classification(*classified(1), [0, 1, 2])
    reach = scores["intervals"]
    assert reach.keys() == {"accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc"}
    assert all(reach[name][0] < scores[name] < reach[name][1] for name in reach)


def test_each_class_has_precision_recall_and_rows() -> None:
    truth, answered, shares = classified(1)
    scores = metrics.classification(truth, answered, shares, [0, 1, 2])
    precision, recall, _, support = scikit.precision_recall_fscore_support(truth, answered)
    for i in range(3):
        own = scores["per_class"][str(i)]
        told = (own["precision"], own["recall"], own["support"])
        assert told == pytest.approx((precision[i], recall[i], support[i]))
        assert own["intervals"]["recall"][0] < own["recall"] < own["intervals"]["recall"][1]


def test_a_class_without_rows_has_no_recall() -> None:
    scores = metrics.classification([0, 0, 1], [0, 1, 1], None, [0, 1, 2])
    assert scores["per_class"]["2"] == {"precision": None, "recall": None, "support": 0, "intervals": {}}


def test_no_error_at_all_leaves_an_interval_to_accuracy_alone() -> None:
    truth = [0] * 20 + [1] * 20
    reach = metrics.classification(truth, truth, None, [0, 1])["intervals"]
    assert reach == {"accuracy": [pytest.approx(0.91238, abs=1e-5), 1.0]}


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    whole = metrics.classification(*classified(99, 60_000), [0, 1, 2])
    drawn = [metrics.classification(*classified(seed), [0, 1, 2])["intervals"] for seed in range(100)]
    for name in drawn[0]:
        held = sum(reach[name][0] <= whole[name] <= reach[name][1] for reach in drawn)
        assert held >= 90, (name, held)


def test_every_metric_of_a_regression_lies_within_its_interval() -> None:
    chance = np.random.default_rng(6)
    truth = chance.normal(1e6, 10, 200)
    scores = metrics.regression(truth.tolist(), (truth + chance.normal(0, 3, 200)).tolist())
    reach = scores["intervals"]
    assert reach.keys() == {"mae", "rmse", "r2", "median_absolute_error"}
    assert all(reach[name][0] < scores[name] < reach[name][1] for name in reach)


def test_a_constant_truth_has_no_r2_and_no_interval_of_it() -> None:
    scores = metrics.regression([5.0] * 40, np.linspace(4, 6, 40).tolist())
    assert scores["r2"] is None and "r2" not in scores["intervals"] and "mae" in scores["intervals"]


def test_classes_of_few_rows_are_named() -> None:
    assert intervals.few({"a": 30, "b": 29, "c": 0}) == ["b", "c"]
