from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as scikit
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from webapp.ml import comparison
from webapp.ml.comparison import Answers, Metric, Verdict, delong_paired, mcnemar, verdict


@pytest.fixture(scope="module")
def tumours() -> tuple[Answers, Answers, Any]:
    """Two models that were measured elsewhere on the same rows: what each answered, and the truth."""
    X, y = load_breast_cancer(return_X_y=True)
    models = GaussianNB(), make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    answered = []
    for model in models:
        model.fit(X[:300], y[:300])
        answered.append(Answers(model.predict(X[300:]), model.predict_proba(X[300:])))
    return answered[0], answered[1], y[300:]


def test_mcnemar_gives_the_known_values() -> None:
    assert mcnemar(5, 7)[2:4] == pytest.approx((0.774414, 0.581055), abs=1e-6)
    assert mcnemar(0, 5)[2:] == pytest.approx((2 / 32, 1 / 32, 1 / 32))
    assert mcnemar(0, 0) == (0, 0, 1.0, 1.0, 1.0)


def test_mcnemar_is_exact_for_many_rows() -> None:
    known = {(900, 1000): 0.023108845, (4000, 4200): 0.027972424}  # scipy.stats.binomtest
    for counts, p in known.items():
        assert mcnemar(*counts).exact == pytest.approx(p, abs=1e-8)


def test_paired_areas_give_the_known_values(tumours: Any) -> None:
    old, new, truth = tumours
    found = delong_paired(truth, old.shares, new.shares)
    assert found == pytest.approx((0.002986, 0.001668, 0.073551), abs=1e-6)


def test_a_curve_does_not_differ_from_itself(tumours: Any) -> None:
    old, _, truth = tumours
    assert delong_paired(truth, old.shares, old.shares) == (0, 0, 1)


def test_a_challenger_that_looks_better_is_inconclusive_on_few_rows(tumours: Any) -> None:
    found = verdict(*tumours, metric="accuracy")
    assert (found.result, found.n, found.rarest) == ("inconclusive", 269, 66)
    assert (found.champion, found.challenger) == pytest.approx((0.966543, 0.973978), abs=1e-6)
    assert found.low == pytest.approx(-0.0149, abs=0.004) and found.low < -found.margin
    assert found.mcnemar and found.mcnemar[:2] == (5, 7)
    assert str(found.sentence).startswith(
        "It cannot be told yet: accuracy 0.974 against 0.9665; the gain is above −"
    )


def drawn(seed: int, n: int, gain: float, alike: float = 0.5) -> tuple[Answers, Answers, Any]:
    """A champion right on 80 % of the rows and a challenger right on so much more; on some rows both or none are."""
    chance = np.random.default_rng(seed)
    truth = (chance.random(n) < 0.4).astype(int)
    hardness, common = chance.random(n), chance.random(n) < alike
    right = [np.where(common, hardness, chance.random(n)) < share for share in (0.8, 0.8 + gain)]
    return Answers(np.where(right[0], truth, 1 - truth)), Answers(np.where(right[1], truth, 1 - truth)), truth


def judged(n: int, gain: float, times: int = 1000) -> Counter[str]:
    return Counter(verdict(*drawn(seed, n, gain), metric="accuracy").result for seed in range(times))


def test_without_a_difference_better_is_said_at_most_5_times_in_100() -> None:
    assert judged(600, 0.0, times=2000)["better"] <= 100


def test_a_difference_of_5_points_is_found_9_times_in_10() -> None:
    assert judged(2000, 0.05)["better"] >= 900


def test_a_challenger_worse_by_the_margin_passes_at_most_5_times_in_100() -> None:
    found = judged(2000, -comparison.MARGIN)
    assert found["better"] + found["not_worse"] <= 50


def test_a_worse_challenger_is_said_to_be_worse() -> None:
    found = verdict(*drawn(1, 2000, -0.1), metric="accuracy")
    assert found.result == "inconclusive" and found.high is not None and found.high < 0
    assert str(found.sentence).startswith("The challenger is worse: accuracy 0.")


def test_the_same_answers_are_not_worse() -> None:
    old, _, truth = drawn(1, 400, 0)
    found = verdict(old, old, truth, metric="accuracy")
    assert (found.result, found.gain, found.low, found.high) == ("not_worse", 0, 0, 0)
    assert "loses nothing (400 outcomes)" in found.sentence


@pytest.mark.parametrize(
    ("n", "ones", "said"),
    [
        (199, 100, "Not enough outcomes (199 of 200)."),
        (0, 0, "Not enough outcomes (0 of 200)."),
        (400, 29, "Not enough outcomes of the rarest class (29 of 30)."),
    ],
)
def test_few_outcomes_conclude_nothing(n: int, ones: int, said: str) -> None:
    truth = np.repeat([0, 1], (n - ones, ones))
    found = verdict(Answers(1 - truth), Answers(truth), truth, metric="accuracy")
    assert (found.result, str(found.sentence), found.gain) == ("inconclusive", said, None)


def test_a_class_of_the_model_without_an_outcome_concludes_nothing() -> None:
    truth = np.repeat([0, 1], 200)
    assert verdict(Answers(truth), Answers(truth), truth, metric="accuracy", classes=3).rarest == 0


def three(seed: int = 3) -> tuple[Answers, Answers, Any]:
    chance = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2], (300, 200, 100))
    versions = []
    for sure in (0.35, 0.6):
        shares = chance.dirichlet((1, 1, 1), len(truth)) + np.eye(3)[truth] * sure
        shares /= shares.sum(axis=1, keepdims=True)
        versions.append(Answers(shares.argmax(axis=1), shares))
    return versions[0], versions[1], truth


def scored(of: Answers, truth: Any, metric: Metric) -> float:
    """As scikit-learn computes it."""
    if metric == "roc_auc":
        return float(scikit.roc_auc_score(truth, of.shares, multi_class="ovr"))
    if metric == "log_loss":
        return float(scikit.log_loss(truth, of.shares))
    if metric == "f1_macro":
        return float(scikit.f1_score(truth, of.values, average="macro"))
    return float(getattr(scikit, f"{metric}_score")(truth, of.values))


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc"])
def test_figures_are_those_of_scikit_learn_and_bounds_those_of_resampled_rows(metric: Metric) -> None:
    old, new, truth = three()
    found = verdict(old, new, truth, metric=metric, classes=3)
    figures = scored(old, truth, metric), scored(new, truth, metric)
    assert (found.champion, found.challenger) == pytest.approx(figures)
    assert found.result == "better"
    sign = -1 if metric == "log_loss" else 1
    assert found.gain == pytest.approx(sign * (figures[1] - figures[0]))
    chance, gains = np.random.default_rng(1), []
    for _ in range(300):
        rows = np.concatenate(
            [chance.choice(np.flatnonzero(truth == c), (truth == c).sum()) for c in range(3)]
        )
        again = [
            scored(Answers(np.asarray(of.values)[rows], of.shares[rows]), truth[rows], metric)  # type: ignore[index]
            for of in (old, new)
        ]
        gains.append(sign * (again[1] - again[0]))
    low, high = np.percentile(gains, (5, 95))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.25 * (high - low))


def measured(seed: int, worse: float, n: int = 500) -> tuple[Answers, Answers, Any]:
    chance = np.random.default_rng(seed)
    truth, common = chance.normal(50, 10, n), chance.normal(0, 2, n)
    old, new = (truth + common + chance.normal(0, 1 + more, n) for more in (0, worse))
    return Answers(old), Answers(new), truth


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_of_numbers_the_smaller_error_is_better(metric: Metric) -> None:
    better = verdict(*measured(1, -0.5), metric=metric)
    assert better.result == "better" and better.gain and better.gain > 0 and better.rarest is None
    worse = verdict(*measured(1, 2.0), metric=metric)
    assert worse.result == "inconclusive" and "is worse" in worse.sentence
    assert worse.margin == pytest.approx(0.01 * (worse.champion or 0))


def test_numbers_without_a_difference_are_better_at_most_7_times_in_100() -> None:
    found = Counter(verdict(*measured(seed, 0), metric="mae").result for seed in range(300))
    assert found["better"] <= 21


def test_the_same_rows_give_the_same_verdict() -> None:
    first, again = (verdict(*drawn(5, 300, 0.03), metric="accuracy") for _ in range(2))
    assert isinstance(first, Verdict) and first == again
