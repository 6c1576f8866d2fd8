from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from webapp.errors import BadArtifact
from webapp.ml import options
from webapp.ml.options import EXACT, WISHES
from webapp.ml.packaging import Package, package
from webapp.ml.reports import spoken
from webapp.ml.runtime import Predictor

Sample = tuple[Any, pd.DataFrame, pd.Series, pd.DataFrame, pd.Series]


def fitted(estimator: Any, load: Any) -> Sample:
    X, X_test, y, y_test = train_test_split(*load(return_X_y=True, as_frame=True), random_state=0)
    return estimator.fit(X, y), X, y, X_test, y_test


@pytest.fixture(scope="module")
def forest() -> Iterator[Sample]:
    yield fitted(RandomForestClassifier(100, random_state=0), load_breast_cancer)


@pytest.fixture(scope="module")
def scaled_forest() -> Iterator[Sample]:
    """Whose thresholds, after the scaler, are not those of floats."""
    forest = RandomForestClassifier(60, random_state=0)
    yield fitted(make_pipeline(StandardScaler(), forest), load_breast_cancer)


@pytest.fixture(scope="module")
def network() -> Iterator[Sample]:
    net = MLPClassifier((128,), max_iter=200, random_state=0)
    yield fitted(make_pipeline(StandardScaler(), net), load_digits)


#: Of this module's samples, for making one takes seconds.
_made: dict[tuple[int, str], Package] = {}


def made_anew(sample: Sample, engine: str = "auto", *, tested: bool = True, **more: Any) -> Package:
    model, X, y, X_test, y_test = sample
    test = (X_test, y_test) if tested else None
    return package(model, X, y, format="skops", test=test, engine=engine, **more)


def published(sample: Sample, engine: str = "auto") -> Package:
    key = id(sample), engine
    if key not in _made:
        _made[key] = made_anew(sample, engine)
    return _made[key]


def beside(made: Package) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in made.manifest["engines"]["options"]}


def answers(made: Package, X: pd.DataFrame) -> list[Any]:
    predictor = Predictor.load(made.files.__getitem__, made.manifest)
    return predictor.predict([tuple(row) for row in X.to_numpy().tolist()]).values


def agreed(made: Package, sample: Sample) -> float:
    model, _, _, X_test, _ = sample
    return float(np.mean(np.array(answers(made, X_test)) == model.predict(X_test)))


def test_a_forest_is_offered_whole_pruned_and_distilled(forest: Sample) -> None:
    shown = beside(published(forest))
    assert list(shown) == ["sklearn", "onnx", "pruned", "distilled"]
    for one in shown.values():
        assert one["offered"] and one["reason"] and one["rows"] == len(forest[3])
        assert one["one_us"] > 0 and one["many_us_per_row"] > 0 and 0.8 < one["score"] <= 1
    assert shown["sklearn"]["agree"] == shown["onnx"]["agree"] == 1
    assert shown["pruned"]["bytes"] < shown["onnx"]["bytes"] / 2
    assert shown["pruned"]["many_us_per_row"] < shown["onnx"]["many_us_per_row"]


@pytest.mark.parametrize("name", ["pruned", "distilled"])
def test_a_student_that_was_picked_is_what_answers(forest: Sample, name: str) -> None:
    made = published(forest, name)
    engines = made.manifest["engines"]
    assert (engines["one"], engines["many"], engines["picked"]) == ("onnx", "onnx", name)
    assert engines["one_us"] == beside(made)[name]["one_us"]
    assert made.manifest["onnx"]["file"] == f"{name}.onnx" and "sklearn" not in made.manifest
    assert {"model.skops", f"{name}.onnx"} <= set(made.files) and "compiled.onnx" not in made.files
    assert agreed(made, forest) == pytest.approx(beside(made)[name]["agree"])
    scored = made.manifest["metrics"]["f1_macro"]
    assert scored == pytest.approx(beside(made)[name]["score"])
    kept = json.loads(made.files["answers.json"])["values"]
    rows = pd.DataFrame(json.loads(made.files["rows.json"]))
    assert kept == answers(made, rows)


def test_what_was_learned_from_is_not_what_is_compared_on(forest: Sample) -> None:
    """Of its own sample a forest knows every row by heart, and two of its trees would look like all."""
    model, X, *_ = forest
    two = [tree.predict(X.to_numpy(np.float32)) for tree in model.estimators_[:2]]
    assert np.mean(two == model.predict(X)) > 0.95
    untested = beside(made_anew(forest, tested=False))
    assert untested["pruned"]["rows"] == 500 and untested["pruned"]["agree"] < 1
    assert untested["distilled"]["agree"] < 0.98


def test_single_precision_is_offered_where_it_is_not_exact(scaled_forest: Sample) -> None:
    made = published(scaled_forest)
    shown = beside(made)
    assert "onnx" not in shown and shown["onnx-float32"]["offered"] and not shown["onnx-float32"]["exact"]
    assert made.manifest["engines"]["one"] == "sklearn" and made.manifest["engines"]["picked"] == "auto"
    assert shown["onnx-float32"]["agree"] > 0.99
    assert shown["onnx-float32"]["one_us"] < shown["sklearn"]["one_us"] / 20
    picked = published(scaled_forest, "onnx-float32")
    assert picked.manifest["engines"]["one"] == "onnx" and agreed(picked, scaled_forest) > 0.99


def test_a_forest_that_would_lose_missing_values_is_not_offered_in_single_precision() -> None:
    chance = np.random.default_rng(0)
    X = pd.DataFrame({"a": chance.normal(size=300)})
    y = pd.Series(np.where(chance.random(300) < 0.3, "x", "y"))
    X.loc[chance.random(300) < 0.3, "a"] = np.nan
    made = package(RandomForestClassifier(5, random_state=0).fit(X, y), X, y, format="skops")
    assert "onnx-float32" not in beside(made)


def test_a_network_is_offered_in_eight_bits(network: Sample) -> None:
    made = published(network, "onnx-int8")
    shown = beside(made)
    assert shown["onnx-int8"]["bytes"] < shown["onnx"]["bytes"] / 2.5 and shown["onnx-int8"]["agree"] > 0.97
    graph = onnx.load_model_from_string(made.files["onnx-int8.onnx"])
    assert "MatMulInteger" in {node.op_type for node in graph.graph.node}
    assert agreed(made, network) == pytest.approx(shown["onnx-int8"]["agree"])


def test_a_graph_of_somebody_else_is_offered_in_eight_bits_too() -> None:
    chance = np.random.default_rng(0)
    X = pd.DataFrame(chance.normal(size=(200, 32)).astype(np.float32), columns=[f"x{i}" for i in range(32)])
    weights = (
        chance.normal(size=(32, 512)).astype(np.float32),
        chance.normal(size=(512, 1)).astype(np.float32),
    )
    nodes = [
        helper.make_node("Gemm", ["x", "first"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["bent"]),
        helper.make_node("Gemm", ["bent", "second"], ["value"]),
    ]
    graph = helper.make_graph(
        nodes,
        "two-layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 32])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(w, name) for w, name in zip(weights, ("first", "second"), strict=True)],
    )
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    ).SerializeToString()
    y = pd.Series((np.maximum(X.to_numpy() @ weights[0], 0) @ weights[1]).ravel(), name="y")
    made = package(data, X, y, format="onnx", engine="onnx-int8")
    assert list(beside(made)) == ["onnx", "onnx-int8"]
    assert made.manifest["onnx"]["file"] == "onnx-int8.onnx" and made.files["model.onnx"] == data
    off = np.array(answers(made, X.head(50)), float) - y.head(50)
    assert 0 < np.abs(off).max() <= 0.1 * y.std()


def test_either_exact_one_may_be_asked_for_by_name(forest: Sample) -> None:
    for name, file in (("sklearn", "model.skops"), ("onnx", "compiled.onnx")):
        engines = published(forest, name).manifest["engines"]
        assert (engines["one"], engines["many"], engines["picked"]) == (name, name, name)
        assert published(forest, name).manifest[name]["file"] == file


def test_what_is_not_offered_is_refused_with_what_is(iris: Any) -> None:
    X, y = iris
    fitted = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.raises(BadArtifact, match="by the engine pruned; it can by sklearn, onnx, or by auto"):
        package(fitted, X, y, format="skops", engine="pruned")


def test_what_neither_saves_nor_agrees_is_shown_with_why_it_is_not_offered(
    forest: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "LESS", 0.0)
    shown = beside(made_anew(forest))
    assert not shown["pruned"]["offered"] and "neither smaller nor faster" in spoken(
        shown["pruned"]["reason"]
    )
    named = made_anew(forest, "pruned")
    assert named.manifest["engines"]["picked"] == "pruned"  # for a figure is not the same each time
    monkeypatch.setattr(options, "ALIKE", 1.01)
    assert "another answer too often" in spoken(beside(made_anew(forest))["distilled"]["reason"])


def test_asking_for_all_of_them_publishes_as_usual(forest: Sample) -> None:
    assert published(forest, "ask").manifest["engines"]["picked"] == "auto"


def test_thresholds_are_chosen_by_the_engine_that_answers(forest: Sample) -> None:
    costs = {"output": {"costs": {"false_positive": 1, "false_negative": 20, "positive": 0}}}
    whole, tree = (made_anew(forest, name, edits=costs) for name in ("auto", "distilled"))
    found = [made.manifest["metrics"]["costs"] for made in (whole, tree)]
    assert found[0]["expected"] != found[1]["expected"]
    assert tree.schema.output.thresholds and agreed(tree, forest) > 0.8


def test_the_report_has_what_there_was_to_pick_from(forest: Sample) -> None:
    report: dict[str, Any] = {}
    made = made_anew(forest, report=report)
    assert report["engines"] == made.manifest["engines"]["options"]
    assert {one["name"] for one in report["engines"] if one["exact"]} == set(EXACT)
    assert {one["name"] for one in report["engines"]} <= set(WISHES)
    json.dumps(report["engines"], allow_nan=False)
