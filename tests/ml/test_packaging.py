from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

from webapp.errors import BadArtifact
from webapp.ml.demos import Demo, demos
from webapp.ml.infer import infer_schema
from webapp.ml.packaging import LIBRARIES, Package, package
from webapp.ml.runtime import Predictor
from webapp.wording import unpack


def test_the_manifest_says_what_was_published(iris_package: Package) -> None:
    manifest = iris_package.manifest
    assert manifest["digest"] == hashlib.sha256(iris_package.files["model.skops"]).hexdigest()
    assert manifest["files"].keys() == iris_package.files.keys()
    assert manifest["schema_hash"] == iris_package.schema.digest
    assert manifest["libraries"].keys() == set(LIBRARIES)
    assert manifest["engines"].keys() >= {"one", "many", "one_us", "many_us_per_row", "reason"}
    json.dumps(manifest, allow_nan=False)


def test_scores_are_those_of_scikit_learn(iris: Any) -> None:
    X, y = iris
    train, test = slice(0, None, 2), slice(1, None, 2)
    fitted = LogisticRegression(max_iter=1000).fit(X[train], y[train])
    made = package(fitted, X[train], y[train], format="skops", test=(X[test], y[test]))
    scores, shares = made.manifest["metrics"], fitted.predict_proba(X[test])
    assert (scores["on"], scores["n_rows"]) == ("test data", 75)
    assert scores["f1_macro"] == pytest.approx(
        metrics.f1_score(y[test], fitted.predict(X[test]), average="macro")
    )
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(y[test], shares), rel=1e-5)
    assert scores["roc_auc"] == pytest.approx(metrics.roc_auc_score(y[test], shares, multi_class="ovr"))
    assert np.array(scores["confusion"]).sum() == 75 and sum(scores["support"].values()) == 75


def test_regression_scores_carry_no_class_words() -> None:
    X = pd.DataFrame({"a": np.arange(50.0)})
    y = pd.Series(2 * X["a"] + np.sin(X["a"]), name="y")
    fitted = LinearRegression().fit(X, y)
    scores = package(fitted, X, y, format="skops").manifest["metrics"]
    assert scores["on"] == "training data"
    assert scores["r2"] == pytest.approx(fitted.score(X, y), rel=1e-6)
    assert scores["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, fitted.predict(X)), rel=1e-4)


def test_the_profile_counts_every_row(iris_package: Package) -> None:
    profile = json.loads(iris_package.files["reference.json"])
    for column in profile["features"].values():
        assert sum(column["counts"]) + column["missing"] == profile["n_rows"] == 150
        assert len(column["counts"]) == len(column["edges"]) + 1
    assert sum(profile["output"]["counts"].values()) == 150


def test_at_most_500_reference_rows_are_kept() -> None:
    X = pd.DataFrame({"a": np.arange(2000.0)})
    made = package(LinearRegression().fit(X, X["a"]), X, X["a"].rename("y"), format="skops")
    rows = json.loads(made.files["rows.json"])
    assert len(rows) == 500
    assert not any(made.schema.check(row).problems for row in rows)


def test_columns_follow_the_model_not_the_sample(iris: Any) -> None:
    X, y = iris
    fitted = LogisticRegression(max_iter=1000).fit(X, y)
    made = package(fitted, X[X.columns[::-1]], y, format="skops")
    assert made.schema.names == tuple(X.columns)


def test_a_single_feature_needs_no_name() -> None:
    X = pd.DataFrame({"a": np.arange(50.0)})
    fitted = LinearRegression().fit(X.to_numpy(), X["a"])
    assert package(fitted, X, X["a"].rename("y"), format="skops").manifest["warnings"] == []


def test_a_sample_of_other_columns_is_refused(iris: Any) -> None:
    X, y = iris
    fitted = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.raises(BadArtifact, match="petal_width"):
        package(fitted, X.drop(columns="petal_width"), y, format="skops")
    with pytest.raises(BadArtifact, match="takes 4 features"):
        package(LogisticRegression(max_iter=1000).fit(X.to_numpy(), y), X.iloc[:, :3], y, format="skops")


@pytest.mark.parametrize("labels", [["a", "b", "c"], [0, 1, 2], [0.0, 1.0, 2.0]])
def test_class_values_keep_their_own_type(iris: Any, labels: list[Any]) -> None:
    X, y = iris
    y = y.map(dict(zip(["setosa", "versicolor", "virginica"], labels, strict=True)))
    made = package(LogisticRegression(max_iter=1000).fit(X, y), X, y, format="skops")
    answer = Predictor.load(made.files.__getitem__, made.manifest).predict([(5.1, 3.5, 1.4, 0.2)])
    assert answer.values == labels[:1] and type(answer.values[0]) is type(labels[0])


def test_true_and_false_are_classes_too(iris: Any) -> None:
    X, y = iris
    made = package(LogisticRegression(max_iter=1000).fit(X, y == "setosa"), X, y == "setosa", format="skops")
    answer = Predictor.load(made.files.__getitem__, made.manifest).predict([(5.1, 3.5, 1.4, 0.2)])
    assert answer.values == [True] and type(answer.values[0]) is bool


def test_what_can_not_be_served_is_refused_in_words(iris: Any) -> None:
    X, y = iris
    several = MultiOutputClassifier(LogisticRegression(max_iter=1000)).fit(X, y.to_frame().assign(again=y))
    with pytest.raises(BadArtifact, match="several targets"):
        package(several, X, y, format="skops")
    with pytest.raises(BadArtifact, match="no predict"):
        package({}, X, y, format="skops")
    with pytest.raises(BadArtifact, match="same name"):
        package(several, pd.concat([X, X], axis=1), y, format="skops")
    with pytest.raises(BadArtifact, match="format"):
        package(several, X, y, format="h5")


def test_edits_correct_the_inferred_schema(iris: Any) -> None:
    X, y = iris
    edits = {
        "features": {"petal_width": {"unit": "cm", "minimum": 0}},
        "output": {"label": "Species of iris"},
    }
    schema = infer_schema(X, y, target_name="species", edits=edits)
    assert (schema.features[3].unit, schema.features[3].minimum) == ("cm", 0)
    assert schema.output.label == "Species of iris"


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({"features": {"petal_widht": {}}}, "not a column of the sample; did you mean “petal_width”?"),
        ({"features": {"petal_width": 3}}, "#/features/petal_width must be an object"),
        ({"features": []}, "#/features of the schema edits must be an object"),
        (
            {"features": {"petal_width": {"units": "cm"}}},
            "#/features/petal_width has no member “units”.*; did you mean “unit”",
        ),
        ({"feature": {}}, "no member “feature”; .*; did you mean “features”"),
        ({"output": {"lable": "x"}}, "#/output has no member “lable”.*; did you mean “label”"),
        ({"output": {"classes": 3}}, "#/output/classes must keep"),
        ({"output": {"classes": [{"value": "setosa", "label": "S"}]}}, "keep the model's values"),
    ],
)
def test_wrong_edits_are_named(iris: Any, edits: dict[str, Any], told: str) -> None:
    with pytest.raises(BadArtifact, match=told):
        infer_schema(*iris, target_name="species", edits=edits)


def test_kinds_are_read_from_the_columns() -> None:
    frame = pd.DataFrame(
        {
            "number": [1.5, 2.0, None, 3.0],
            "integer": [1, 2, 2, 3],
            "flag": [True, False, True, True],
            "maybe": pd.Series([True, None, False, True], dtype=object),
            "word": ["a", "b", None, "a"],
            "level": pd.Categorical([1, 2, 1, 2]),
        }
    )
    schema = infer_schema(frame, pd.Series(["x", "y", "x", "y"]), target_name="t")
    kinds = {feature.name: (feature.kind, feature.nullable) for feature in schema.features}
    assert kinds == {
        "number": ("number", True),
        "integer": ("integer", False),
        "flag": ("boolean", False),
        "maybe": ("boolean", True),
        "word": ("category", True),
        "level": ("category", False),
    }
    assert [choice.value for choice in schema.features[5].choices] == [1, 2]


def test_many_different_words_are_texts() -> None:
    frame = pd.DataFrame({"t": [f"text {i}" for i in range(60)]})
    assert infer_schema(frame, pd.Series([0, 1] * 30), target_name="t").features[0].kind == "text"


@pytest.mark.parametrize("demo", demos(), ids=lambda demo: demo.name)
def test_every_demo_is_served_by_onnx(demo: Demo) -> None:
    estimator, X, y, X_test, y_test = demo.make()
    made = package(estimator, X, y, format="skops", test=(X_test, y_test), card=demo.card, edits=demo.edits)
    assert made.manifest["engines"]["one"] == made.manifest["engines"]["many"] == "onnx"
    assert all(made.manifest["card"].values())
    scores = made.manifest["metrics"]
    assert next(scores[name] for name in ("balanced_accuracy", "r2", "mrr") if name in scores) > 0.3
    assert not made.schema.check(made.schema.example()).problems


def test_a_sample_of_a_few_rows_is_published_with_a_warning() -> None:
    X, y = pd.DataFrame({"a": [0.0, 1.0, 2.0]}), pd.Series([0, 1, 1], name="y")
    made = package(LogisticRegression().fit(X, y), X, y, format="skops")
    [warning] = made.manifest["warnings"]
    assert str(unpack(warning)).startswith("The training sample has 3 rows")
