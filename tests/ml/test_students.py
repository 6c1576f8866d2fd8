from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from webapp.ml.students import alike, mixed, students


def taught(estimator: Any, X: pd.DataFrame) -> dict[str, Any]:
    columns = list(X.columns)
    rows = [tuple(row) for row in X.to_numpy().tolist()]
    return students(estimator, lambda chosen: pd.DataFrame(chosen, columns=columns), rows)


@pytest.mark.filterwarnings("ignore:X has feature names", "ignore:X does not have valid feature names")
@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(random_state=0),
        ExtraTreesClassifier(random_state=0),
        GradientBoostingClassifier(random_state=0),
        HistGradientBoostingClassifier(max_iter=60, random_state=0),
        make_pipeline(StandardScaler(), RandomForestClassifier(random_state=0)),
        GridSearchCV(RandomForestClassifier(random_state=0), {"n_estimators": [100]}, cv=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_students_answer_unseen_rows_nearly_alike(estimator: Any) -> None:
    X, X_new, y, _ = train_test_split(*load_wine(return_X_y=True, as_frame=True), random_state=0)
    estimator.fit(X, y)
    made = taught(estimator, X)
    assert list(made) == ["pruned", "distilled"]
    for student in made.values():
        assert np.array_equal(student.classes_, estimator.classes_)
        assert alike(student.predict_proba(X_new), estimator.predict_proba(X_new)) >= 0.9


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_pruned_ensemble_has_half_of_its_trees_at_most_and_the_whole_is_left_alone() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    forest = RandomForestClassifier(40, random_state=0).fit(X, y)
    boosted = GradientBoostingClassifier(n_estimators=40, random_state=0).fit(X, y)
    before = forest.predict_proba(X), boosted.predict_proba(X)
    few = [taught(estimator, X)["pruned"] for estimator in (forest, boosted)]
    assert [1 < len(one.estimators_) <= 20 for one in few] == [True, True]
    assert {id(tree) for tree in few[0].estimators_} < {id(tree) for tree in forest.estimators_}
    assert np.array_equal(few[1].estimators_, boosted.estimators_[: len(few[1].estimators_)])
    assert np.array_equal(before[0], forest.predict_proba(X))
    assert np.array_equal(before[1], boosted.predict_proba(X))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names", "ignore:X has feature names")
@pytest.mark.parametrize("make", [RandomForestRegressor, GradientBoostingRegressor])
def test_a_tree_learns_values_too(make: Any) -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    whole = make(random_state=0).fit(X, y)
    off = taught(whole, X)["distilled"].predict(X) - whole.predict(X)
    assert 1 - off.var() / whole.predict(X).var() > 0.8


def test_what_is_no_ensemble_of_trees_has_no_students() -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    assert taught(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y), X) == {}


def test_columns_in_words_reach_the_trees_through_their_pipeline() -> None:
    chance = np.random.default_rng(0)
    X = pd.DataFrame({"colour": chance.choice(["red", "blue"], 300), "size": chance.normal(size=300)})
    y = (X["colour"] == "red") & (X["size"] > 0)
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["colour"]), remainder="passthrough"
    )
    whole = make_pipeline(encoder, RandomForestClassifier(20, random_state=0)).fit(X, y)
    for student in taught(whole, X).values():
        assert (student.predict(X) == whole.predict(X)).mean() > 0.97


def test_mixed_rows_are_made_of_what_there_is_and_always_the_same() -> None:
    rows = [(i, f"row {i}", None if i % 3 else i / 2) for i in range(50)]
    made = mixed(rows, 200, seed=1)
    assert made == mixed(rows, 200, seed=1) != mixed(rows, 200, seed=2)
    assert all({row[i] for row in made} <= {row[i] for row in rows} for i in range(3))
    assert len(made) == 200 and len(set(made) - set(rows)) > 50


def test_values_without_a_deviation_are_alike_but_for_rounding() -> None:
    same = np.full((3, 1), 250.0)
    assert alike(same + 0.001, same) == 1.0
    assert alike(same + 0.01, same) == 0.0
    assert alike(np.array([[2.0000001]]), np.array([[2.0]])) == 1.0


def test_many_classes_and_features_are_taught_by_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree is taught by every row once for each class: two hundred classes would take minutes."""
    chance, seen = np.random.default_rng(1), []
    X, y = chance.normal(size=(400, 30)), chance.permutation(np.arange(400) % 200)
    forest = RandomForestClassifier(12, max_depth=4, random_state=0).fit(X, y)
    fit = DecisionTreeClassifier.fit
    monkeypatch.setattr(
        DecisionTreeClassifier, "fit", lambda self, X, *a, **k: seen.append(X.size) or fit(self, X, *a, **k)
    )
    monkeypatch.setattr("webapp.ml.students.MOST_NUMBERS", 300_000)
    assert "distilled" in students(forest, np.array, [tuple(row) for row in X.tolist()])
    assert seen == [300_000]
