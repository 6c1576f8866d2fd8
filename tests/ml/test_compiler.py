from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from webapp.errors import BadArtifact
from webapp.ml.packaging import Package, package
from webapp.ml.probes import probes
from webapp.ml.reports import spoken
from webapp.ml.runtime import Predictor


def served(made: Package) -> Predictor:
    return Predictor.load(made.files.__getitem__, made.manifest)


def assert_same(made: Package, estimator: Any, X: pd.DataFrame) -> None:
    """The desk answers as the estimator does, for the sample and for rows it has not seen."""
    schema = made.schema
    rows = [tuple(None if pd.isna(v) else v for v in row) for row in X.astype(object).itertuples(index=False)]
    answer = served(made).predict(rows)
    assert answer.values == estimator.predict(X).tolist()
    assert np.allclose(answer.probabilities, estimator.predict_proba(X), atol=1e-5)
    assert all(not schema.check(dict(zip(schema.names, row, strict=True))).problems for row in rows)


@pytest.mark.parametrize(
    "make", [DecisionTreeClassifier, RandomForestClassifier, HistGradientBoostingClassifier]
)
def test_a_tree_with_missing_values_answers_as_the_original(make: Any, mixed: Any) -> None:
    X, y = mixed[0][["amount", "member"]].astype(float), mixed[1]
    estimator = make(random_state=0).fit(X, y)
    made = package(estimator, X, y, format="skops")
    assert made.schema.features[0].nullable
    assert_same(made, estimator, X)


def test_a_forest_whose_missing_values_onnx_would_lose_stays_with_scikit_learn(mixed: Any) -> None:
    X, y = mixed[0][["amount"]], mixed[1]
    made = package(RandomForestClassifier(5, random_state=0).fit(X, y), X, y, format="skops")
    engines = made.manifest["engines"]
    assert engines["one"] == engines["many"] == "sklearn"
    assert engines["reason"] and "onnx" not in made.manifest


def test_a_tree_whose_missing_values_take_a_side_of_their_own_is_not_converted(mixed: Any) -> None:
    """Its threshold is infinite, and skl2onnx 1.20 looks for the next float without end."""
    X, y = pd.DataFrame({"a": [1.0, 2.0, np.nan, np.nan]}), pd.Series(["x", "x", "y", "y"])
    tree = DecisionTreeClassifier().fit(X, y)
    assert np.isinf(tree.tree_.threshold[0])
    assert "splits on missing" in spoken(package(tree, X, y, format="skops").manifest["engines"]["reason"])


def pipeline(encoder: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, ["amount"]), (encoder, ["colour"]), ("passthrough", ["member"])
    )
    return make_pipeline(columns, LogisticRegression())


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
    ],
)
def test_categories_missing_or_unknown_answer_as_the_original(encoder: Any, mixed: Any) -> None:
    X, y = mixed
    estimator = pipeline(encoder).fit(X, y)
    made = package(estimator, X, y, format="skops")
    strange = X.copy()
    strange.loc[::3, "colour"] = "violet"
    for sample in (X, strange):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # scikit-learn tells of the unknown category
            assert_same(made, estimator, sample)


def test_a_pipeline_with_gaps_needs_no_pandas_to_serve(mixed: Any) -> None:
    X, y = mixed
    made = package(pipeline(OneHotEncoder(handle_unknown="ignore")).fit(X, y), X, y, format="skops")
    assert made.manifest["engines"]["one"] == "onnx"
    assert served(made).predict([(None, None, True), (None, "nan", True)]).engine == "onnx"


def test_the_text_that_stands_for_missing_is_not_taken_for_missing(mixed: Any) -> None:
    X, y = mixed
    estimator = pipeline(OneHotEncoder(handle_unknown="ignore")).fit(X, y)
    made = package(estimator, X, y, format="skops")
    told = pd.DataFrame({"amount": [9.0] * 3, "colour": ["nan", "None", ""], "member": [True] * 3})
    assert_same(made, estimator, told)


def test_an_encoder_that_refuses_the_unknown_closes_its_feature(mixed: Any) -> None:
    X, y = mixed
    made = package(pipeline(OneHotEncoder()).fit(X, y), X, y, format="skops")
    assert [feature.closed for feature in made.schema.features] == [False, True, False]


def test_texts_are_served_whichever_engine_agrees(mixed: Any) -> None:
    texts = pd.Series([f"good thing {i} ever" if i % 2 else f"bad stuff {i} never" for i in range(80)])
    y = pd.Series(["pos" if i % 2 else "neg" for i in range(80)])
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, y)
    made = package(estimator, texts.to_frame("text"), y, format="skops")
    assert made.schema.features[0].kind == "text"
    odd = ["GOOD stuff!", "", "naïve É 日本", "bad\tbad's"]
    answer = served(made).predict([(text,) for text in odd])
    assert np.allclose(answer.probabilities, estimator.predict_proba(odd), atol=1e-5)


def test_a_vectorizer_takes_one_column_only() -> None:
    texts = pd.Series([f"good thing {i}" if i % 2 else f"bad stuff {i}" for i in range(80)])
    y = pd.Series([i % 2 for i in range(80)])
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, y)
    with pytest.raises(BadArtifact, match="reads one column of text, but the sample has 2"):
        package(estimator, pd.DataFrame({"text": texts, "n": y}), y, format="skops")


def test_numbers_too_fine_for_floats_are_served_as_doubles() -> None:
    X = pd.DataFrame({"t": 1.7e9 + np.arange(200.0), "u": np.arange(200.0) % 7})
    y = X["t"] - 1.7e9 + X["u"]
    estimator = LinearRegression().fit(X, y)
    made = package(estimator, X, y, format="skops")
    rows = [tuple(row) for row in X.to_numpy().tolist()]
    assert served(made).predict(rows).values == pytest.approx(estimator.predict(X).tolist(), rel=1e-5)
    assert "onnx" not in made.manifest or made.manifest["onnx"]["layout"]["dtypes"] == ("float64",)


def test_probes_hold_gaps_extremes_unknowns_and_midpoints(mixed: Any) -> None:
    X, y = mixed
    made = package(pipeline(OneHotEncoder(handle_unknown="ignore")).fit(X, y), X, y, format="skops")
    rows = probes(made.schema, [(1.0, "red", True), (2.0, "blue", False)])
    columns = [set(column) for column in zip(*rows, strict=True)]
    assert {None, 1.5} <= columns[0] and max(v for v in columns[0] if v is not None) > X["amount"].max() * 5
    assert {None, "red", "", "unseen-value"} <= columns[1]
    assert rows == probes(made.schema, [(1.0, "red", True), (2.0, "blue", False)])


@pytest.mark.filterwarnings("ignore:A single label was found")
def test_a_forest_of_a_single_class_is_not_converted() -> None:
    """The runtime looks for a second one, and ends the process."""
    X, y = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]}), pd.Series(["x"] * 4)
    made = package(RandomForestClassifier(2).fit(X, y), X, y, format="skops")
    assert made.manifest["engines"]["one"] == "sklearn"
    assert "single class" in spoken(made.manifest["engines"]["reason"])
