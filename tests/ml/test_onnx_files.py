from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from webapp.errors import BadArtifact
from webapp.ml.onnx_files import check_onnx, onnx_layout
from webapp.ml.packaging import package
from webapp.ml.reports import spoken
from webapp.ml.runtime import Predictor


def outside(name: str = "w") -> TensorProto:
    tensor = helper.make_tensor(name, TensorProto.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def model(**changes: Any) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    taken = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    nodes = changes.pop("nodes", [helper.make_node("Identity", ["x"], ["y"])])
    graph = helper.make_graph(nodes, "g", [given], [taken], **changes)
    return helper.make_model(graph)


def in_initializer() -> onnx.ModelProto:
    return model(initializer=[outside()])


def in_sparse_values() -> onnx.ModelProto:
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    return model(sparse_initializer=[helper.make_sparse_tensor(outside(), indices, [1])])


def in_sparse_indices() -> onnx.ModelProto:
    values = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    return model(sparse_initializer=[helper.make_sparse_tensor(values, outside(), [1])])


def in_attribute() -> onnx.ModelProto:
    return model(nodes=[helper.make_node("Constant", [], ["y"], value=outside())])


def in_attribute_list() -> onnx.ModelProto:
    node = helper.make_node("Identity", ["x"], ["y"])
    attribute = node.attribute.add()
    attribute.name, attribute.type = "t", onnx.AttributeProto.TENSORS
    attribute.tensors.append(outside())
    return model(nodes=[node])


def in_sparse_attribute() -> onnx.ModelProto:
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    sparse = helper.make_sparse_tensor(outside(), indices, [1])
    return model(nodes=[helper.make_node("Constant", [], ["y"], sparse_value=sparse)])


def in_subgraph() -> onnx.ModelProto:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["z"])], "b", [], [], initializer=[outside()]
    )
    return model(nodes=[helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)])


def in_function() -> onnx.ModelProto:
    made = model()
    nodes = [helper.make_node("Constant", [], ["b"], value=outside())]
    made.functions.append(helper.make_function("", "F", ["a"], ["b"], nodes, made.opset_import))
    return made


def in_training_info() -> onnx.ModelProto:
    made = model()
    made.training_info.add().initialization.initializer.append(outside())
    return made


PLACES = [
    in_initializer, in_sparse_values, in_sparse_indices, in_attribute, in_attribute_list, in_sparse_attribute,
    in_subgraph, in_function, in_training_info,
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_tensor_outside_the_file_is_refused_wherever_it_stands(
    place: Callable[[], onnx.ModelProto],
) -> None:
    with pytest.raises(BadArtifact, match="outside the file"):
        check_onnx(place().SerializeToString())


def test_operators_of_another_domain_are_refused() -> None:
    node = helper.make_node("Shell", ["x"], ["y"], domain="com.example")
    function = helper.make_function("com.example", "F", ["a"], ["b"], [], [])
    with_function, with_import = model(), model()
    with_function.functions.append(function)
    with_import.opset_import.append(helper.make_opsetid("com.example", 1))
    for made in (model(nodes=[node]), with_function, with_import):
        with pytest.raises(BadArtifact, match="domain"):
            check_onnx(made.SerializeToString())


def test_a_loop_is_refused() -> None:
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "b", [], [])
    with pytest.raises(BadArtifact, match="Loop"):
        check_onnx(
            model(nodes=[helper.make_node("Loop", ["", "", "x"], ["y"], body=body)]).SerializeToString()
        )


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80\x04.", bytes(1000), b"PK\x03\x04"])
def test_nonsense_is_no_onnx_file(data: bytes) -> None:
    with pytest.raises(BadArtifact):
        check_onnx(data)


def served(data: bytes, X: Any, y: Any) -> Predictor:
    made = package(data, X, y, format="onnx")
    return Predictor.load(made.files.__getitem__, made.manifest)


@pytest.mark.parametrize("zipmap", [True, False])
def test_a_classifier_with_or_without_a_zipmap_is_served(iris: Any, zipmap: bool) -> None:
    X, y = iris
    fitted = LogisticRegression(max_iter=1000).fit(X.to_numpy(np.float32), y)
    data = to_onnx(fitted, X.to_numpy(np.float32)[:1], options={"zipmap": zipmap}).SerializeToString()
    answer = served(data, X, y).predict([tuple(row) for row in X.to_numpy().tolist()])
    assert answer.values == fitted.predict(X.to_numpy(np.float32)).tolist()
    assert answer.probabilities is not None
    assert np.allclose(answer.probabilities, fitted.predict_proba(X.to_numpy(np.float32)), atol=1e-5)


def test_one_tensor_knows_no_names_and_one_input_for_each_column_does(iris: Any) -> None:
    X, y = iris
    X = X.astype("float32")
    fitted = make_pipeline(
        make_column_transformer((StandardScaler(), list(X))), LogisticRegression(max_iter=1000)
    ).fit(X, y)
    by_name = to_onnx(fitted, X, options={"zipmap": False}).SerializeToString()
    assert package(by_name, X, y, format="onnx").manifest["warnings"] == []
    nameless = LogisticRegression(max_iter=1000).fit(X.to_numpy(), y)
    tensor = to_onnx(nameless, X.to_numpy()[:1], options={"zipmap": False}).SerializeToString()
    (warning,) = package(tensor, X[X.columns[::-1]], y, format="onnx").manifest["warnings"]
    assert "order of the file: petal_width, petal_length, sepal_width, sepal_length." in spoken(warning)


def test_one_input_for_each_column_is_served() -> None:
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.5, 0.1, 0.9]})
    y = pd.Series([1.0, 2.5, 3.5], name="y")
    fitted = make_pipeline(make_column_transformer((StandardScaler(), ["a", "b"])), LinearRegression()).fit(
        X, y
    )
    data = to_onnx(fitted, X.astype("float32")).SerializeToString()
    assert served(data, X, y).predict([(2.0, 0.1)]).values == pytest.approx([2.5], rel=1e-5)


def test_a_graph_that_does_not_fit_its_sample_is_refused(iris: Any) -> None:
    X, y = iris
    fitted = LogisticRegression(max_iter=1000).fit(X.to_numpy(np.float32), y)
    data = to_onnx(fitted, X.to_numpy(np.float32)[:1], options={"zipmap": False}).SerializeToString()
    with pytest.raises(BadArtifact, match="takes 4 numbers a row, but the sample has 3 columns"):
        package(data, X.iloc[:, :3], y, format="onnx")
    with pytest.raises(BadArtifact, match="not among the target's values"):
        package(data, X, y.str.upper(), format="onnx")


def dense(nodes: list[onnx.NodeProto], *outputs: tuple[str, int, list[Any]], rows: Any = None) -> bytes:
    """A graph over the four columns of iris; `z` holds a number for each row and class."""
    weights = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    made = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["z"]), *nodes],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 4])],
        [helper.make_tensor_value_info(*output) for output in outputs],
        initializer=[onnx.numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model.SerializeToString()


LABEL = helper.make_node("ArgMax", ["z"], ["label"], axis=1, keepdims=0)
LABELS = ("label", TensorProto.INT64, [None])
SHARES = helper.make_node("Softmax", ["z"], ["p"], axis=1)


def test_a_graph_that_answers_each_row_with_label_and_shares_is_served(iris: Any) -> None:
    X, y = iris
    data = dense([LABEL, SHARES], LABELS, ("p", TensorProto.FLOAT, [None, 3]))
    answer = served(data, X, y.astype("category").cat.codes).predict([(5.1, 3.5, 1.4, 0.2)])
    assert answer.probabilities is not None and sum(answer.probabilities[0]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("nodes", "outputs", "words"),
    [
        ([LABEL], [LABELS, ("z", TensorProto.FLOAT, [None, 3])], "below 0 or above 1; end it with Softmax"),
        (
            [LABEL, helper.make_node("ReduceMax", ["z"], ["m"], axes=[1], keepdims=0)],
            [LABELS, ("m", TensorProto.FLOAT, [None])],
            r"shape \(150,\) for 150 rows and 3 classes",
        ),
        (
            [LABEL, SHARES, helper.make_node("ReduceMean", ["p"], ["m"], axes=[0])],
            [LABELS, ("m", TensorProto.FLOAT, [1, 3])],
            r"shape \(1, 3\) for 150 rows",
        ),
        (
            [LABEL, SHARES, helper.make_node("Transpose", ["p"], ["t"])],
            [LABELS, ("t", TensorProto.FLOAT, [3, None])],
            r"shape \(3, 150\)",
        ),
        (
            [LABEL, helper.make_node("Softmax", ["z"], ["p"], axis=0)],
            [LABELS, ("p", TensorProto.FLOAT, [None, 3])],
            "a row alone otherwise than among others",
        ),
        (
            [helper.make_node("Cast", ["z"], ["label"], to=TensorProto.INT64)],
            [("label", TensorProto.INT64, [None, 3])],
            r"fails on its own sample \(ValueError: cannot reshape array of size 450",
        ),
    ],
)
def test_a_graph_that_does_not_answer_each_row_is_refused(
    iris: Any, nodes: list[onnx.NodeProto], outputs: list[tuple[str, int, list[Any]]], words: str
) -> None:
    X, y = iris
    with pytest.raises(BadArtifact, match=words):
        package(dense(nodes, *outputs), X, y.astype("category").cat.codes, format="onnx")


def test_numbers_that_depend_on_the_other_rows_are_refused(iris: Any) -> None:
    X, _ = iris
    worst = helper.make_node("ReduceMax", ["z"], ["m"], axes=[0, 1])
    first = helper.make_node("ReduceMax", ["x"], ["f"], axes=[1])
    data = dense(
        [worst, first, helper.make_node("Mul", ["f", "m"], ["v"])], ("v", TensorProto.FLOAT, [None, 1])
    )
    with pytest.raises(BadArtifact, match="a row alone otherwise than among others"):
        package(data, X, X.sum(axis=1), format="onnx")


@pytest.mark.parametrize("rows", [1, 150])
def test_a_fixed_number_of_rows_is_refused(iris: Any, rows: int) -> None:
    X, y = iris
    data = dense([LABEL], ("label", TensorProto.INT64, [rows]), rows=rows)
    with pytest.raises(BadArtifact, match=rf"“x” takes exactly {rows} rows.*\(dynamic batch\)"):
        package(data, X, y, format="onnx")


def test_an_input_of_unknown_shape_is_tried(iris: Any) -> None:
    X, y = iris
    made = onnx.ModelProto.FromString(dense([LABEL], LABELS))
    made.graph.input[0].type.tensor_type.ClearField("shape")
    package(made.SerializeToString(), X, y.astype("category").cat.codes, format="onnx")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda made: setattr(made, "ir_version", 99),
            "graph: Unsupported model IR version: 99, max supported",
        ),
        (
            lambda made: setattr(made.opset_import[0], "version", 999),
            "Current official support .* is till opset",
        ),
    ],
)
def test_a_graph_of_another_age_is_refused_in_words(change: Callable[[Any], None], words: str) -> None:
    made = onnx.ModelProto.FromString(dense([LABEL], LABELS))
    change(made)
    with pytest.raises(BadArtifact, match=words) as told:
        onnx_layout(made.SerializeToString(), ["a", "b", "c", "d"])
    assert "onnxruntime_src" not in told.value.detail


LIGHT = """
import sys
import webapp.ml.runtime
heavy = {"sklearn", "pandas", "skops", "skl2onnx", "onnx", "scipy", "joblib"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_runtime_starts_without_the_training_libraries() -> None:
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


def test_trees_that_know_a_single_class_by_name_are_refused() -> None:
    """Beyond a score of a half the runtime looks for a second one, and ends the process."""
    for labels, ends in ((["a"], True), (["a", "b"], False)):
        trees = helper.make_node(
            "TreeEnsembleClassifier", ["x"], ["l", "y"], domain="ai.onnx.ml", classlabels_strings=labels
        )
        if ends:
            with pytest.raises(BadArtifact, match="a single class"):
                check_onnx(model(nodes=[trees]).SerializeToString())
        else:
            check_onnx(model(nodes=[trees]).SerializeToString())
