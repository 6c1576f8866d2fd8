"""What is sent of a table, and what is refused before anything is sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from parecer_client import Client, samples
from parecer_client.samples import Sample
from parecer_client.validation import Validated, cross_validated
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from skops import io as skops_io

from tests.client.scripted import Reply, scripted


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_a_matrix_gets_the_names_the_estimator_was_fitted_with() -> None:
    X = frame(a=[1.0, 2.0], b=[0.0, 1.0])
    names = samples.feature_names(LinearRegression().fit(X, [1.0, 2.0]))
    assert list(samples.sample(X.to_numpy(), [1, 2], names).X) == ["a", "b"]
    assert list(samples.sample(X.to_numpy(), [1, 2]).X) == ["f0", "f1"]


def test_an_object_matrix_gets_the_kinds_of_its_columns() -> None:
    X = samples.sample(np.array([[1, "a"], [2, "b"]], object), [0, 1]).X
    assert X["f0"].dtype.kind == "i" and X["f1"].tolist() == ["a", "b"]


def test_texts_are_one_column() -> None:
    assert samples.sample(["so good", "so bad"], [1, 0]).X.columns.tolist() == ["text"]
    assert samples.sample(pd.Series(["a", "b"], name="review"), [1, 0]).X.columns.tolist() == ["review"]


def test_the_target_keeps_its_name_unless_a_feature_has_it() -> None:
    X = frame(a=[1, 2])
    assert samples.sample(X, pd.Series([1, 2], name="b")).y.name == "b"
    assert samples.sample(X, pd.Series([1, 2], name="a")).y.name == "a_"
    assert samples.sample(X, [[1], [2]]).y.tolist() == [1, 2]


def test_rows_keep_together_whatever_their_index() -> None:
    X, y = frame(a=[1, 2]).set_axis([7, 3]), pd.Series([10, 20], index=[3, 7], name="b")
    read = pd.read_parquet(io.BytesIO(samples.parquet(samples.sample(X, y))))
    assert read.to_dict("list") == {"a": [1, 2], "b": [10, 20]}  # as scikit-learn pairs them: by place


@pytest.mark.parametrize(
    ("X", "y", "told"),
    [
        (frame(a=[1, 2]), [1], "2 rows and y 1"),
        (frame(a=[1]), [[1, 2]], "one model for each target"),
        (frame(a=pd.to_datetime(["2026-01-01"])), [1], "'a' holds times"),
        (frame(a=[[1]], b=["x"]), [1], "'a' holds values of the kind list"),
        (frame(a=[1, "x"]), [1, 2], "texts and other values together"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), [1], "two columns 'a'"),
        (np.zeros(3), [1, 2, 3], "1 dimensions"),
    ],
)
def test_what_is_no_table_of_plain_values_is_refused(X: Any, y: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        samples.sample(X, y)


def test_what_skops_cannot_store_is_said_with_the_way_out() -> None:
    estimator = LinearRegression().fit([[1.0]], [1.0])
    estimator.rows = (row for row in [1])
    with pytest.raises(ValueError, match="as an ONNX file"):
        samples.model_file(estimator, "m")
    with pytest.raises(ValueError, match=r"no \.onnx or \.skops file"):
        samples.model_file("model.h5", "m")
    with pytest.raises(ValueError, match="can run code"):
        samples.model_file("model.pkl", "m")
    with pytest.raises(ValueError, match="has no predict"):
        samples.model_file(TfidfVectorizer(), "m")


@pytest.mark.parametrize("estimator", [LinearRegression(), make_pipeline(LogisticRegression())])
def test_what_is_not_fitted_is_refused_before_anything_is_sent(estimator: Any) -> None:
    with (
        scripted(Reply(500)) as (address, got),
        pytest.raises(ValueError, match=r"is not fitted; call its fit"),
    ):
        Client(address, "t", progress=False).publish(estimator, frame(a=[1.0]), [1.0], name="m")
    assert got == []


def test_who_knows_nothing_of_being_fitted_is_left_to_the_desk() -> None:
    class Rule:
        def predict(self, X: Any) -> Any:
            return X

    assert samples.model_file(Rule(), "m").name == "m.skops"


def test_a_skops_file_is_sent_as_it_is(tmp_path: Path) -> None:
    (path := tmp_path / "made.skops").write_bytes(skops_io.dumps(LinearRegression().fit([[1.0]], [1.0])))
    assert samples.model_file(str(path), "m") == ("m.skops", path.read_bytes())


def test_the_publishers_own_edits_go_before_those_of_the_types() -> None:
    X = frame(a=pd.Categorical(["x", "y"], categories=["y", "x", "z"]), b=pd.array([1, None], "Int64"))
    found = samples.edits(X, {"features": {"a": {"label": "A"}}, "output": {"unit": "cm"}})
    assert [choice["value"] for choice in found["features"]["a"]["choices"]] == ["y", "x", "z"]
    assert found["features"]["a"]["label"] == "A" and found["features"]["b"] == {"kind": "integer"}
    assert found["output"] == {"unit": "cm"}
    assert samples.edits(frame(c=[1.5]), None) == {}


def test_clones_are_scored_on_rows_that_they_have_not_seen() -> None:
    random = np.random.default_rng(0)
    known = Sample(frame(a=random.random(90), b=random.random(90)), pd.Series(random.integers(0, 2, 90)))
    checked = cross_validated(LogisticRegression(), known, 3, shown=False)
    assert isinstance(checked, Validated) and checked.folds == 3 and 0.2 < checked.mean < 0.8
    texts = samples.sample(["good", "bad"] * 20, [1, 0] * 20)
    reader = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts.X["text"].tolist(), texts.y)
    assert str(cross_validated(reader, texts, 2, shown=False)) == "accuracy 1 ± 0 in 2 folds"


def test_an_estimator_that_cannot_be_fitted_anew_is_no_hindrance() -> None:
    class Once(LinearRegression):
        def fit(self, *_: Any) -> Any:
            raise RuntimeError("prefitted only")

    known = samples.sample(frame(a=[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0])
    checked = cross_validated(Once(), known, 2, shown=False)
    assert checked == "could not be cross-validated (RuntimeError: prefitted only)"
