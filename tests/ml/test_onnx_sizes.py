"""A graph whose work depends on the values that are asked is refused; one that looks at the number of rows is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from tests.faults.hostile_models import FIRST, allocates_what_is_asked, good
from webapp.errors import BadArtifact
from webapp.ml.onnx_files import check_onnx
from webapp.ml.onnx_sizes import DECIDING

node = helper.make_node
ONE = numpy_helper.from_array(np.array([1], np.int64), "one")
ASKED = [FIRST, node("Cast", ["m"], ["i"], to=TensorProto.INT64), node("Reshape", ["i", "one"], ["s"])]
FROM_ROWS = [node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "one"], ["s"])]


def graph(*nodes: NodeProto) -> onnx.ModelProto:
    """From `x` to `y`; `s` is what sizes are made of."""
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    taken = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return helper.make_model(helper.make_graph(list(nodes), "g", [given], [taken], initializer=[ONE]))


def body(*nodes: NodeProto, given: tuple[str, ...] = (), taken: str = "b") -> onnx.GraphProto:
    ins = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in given]
    return helper.make_graph(
        list(nodes), "b", ins, [helper.make_tensor_value_info(taken, TensorProto.FLOAT, None)]
    )


def refused(model: onnx.ModelProto) -> bool:
    try:
        check_onnx(model.SerializeToString())
    except BadArtifact as error:
        assert "values that are asked decide" in error.detail
        return True
    return False


@pytest.mark.parametrize("operator", sorted(set(DECIDING) - {"If"}))
def test_a_size_from_the_values_is_refused_and_one_from_the_rows_is_not(operator: str) -> None:
    for place in DECIDING[operator]:
        names = ["one"] * place + ["s"]
        assert refused(graph(*ASKED, node(operator, names, ["y"])))
        assert not refused(graph(*FROM_ROWS, node(operator, names, ["y"])))


def test_texts_that_are_asked_may_not_be_doubled() -> None:
    text = node("Cast", ["x"], ["t"], to=TensorProto.STRING)
    assert refused(graph(text, node("StringConcat", ["t", "t"], ["y"])))
    assert not refused(graph(text, node("StringConcat", ["t", "one"], ["y"])))


def test_what_is_left_out_is_no_value() -> None:
    recurrent = node("LSTM", ["x", "one", "one"], ["", "h"], hidden_size=2)
    first = node("Slice", ["shape", "one", "one", "", "one"], ["s"])
    assert not refused(graph(recurrent, FROM_ROWS[0], first, node("Reshape", ["h", "s"], ["y"])))
    assert refused(
        graph(*ASKED, node("LSTM", ["x", "one", "one"], ["", "h"]), node("Expand", ["h", "s"], ["y"]))
    )


def test_the_axes_of_a_reduction_are_a_size() -> None:
    assert refused(graph(*ASKED, node("ReduceSum", ["x", "s"], ["y"])))


def test_a_branch_by_the_values_is_refused() -> None:
    inner = body(node("Identity", ["x"], ["b"]))
    for nodes, expected in ((ASKED, True), (FROM_ROWS, False)):
        branch = node("If", ["s"], ["y"], then_branch=inner, else_branch=inner)
        assert refused(graph(*nodes, branch)) is expected


def within_a_branch() -> onnx.ModelProto:
    inner = body(node("ConstantOfShape", ["s"], ["b"]))
    return graph(*ASKED, node("If", ["one"], ["y"], then_branch=inner, else_branch=inner))


def out_of_a_branch() -> onnx.ModelProto:
    inner = body(node("Identity", ["x"], ["b"]))
    branch = node("If", ["one"], ["c"], then_branch=inner, else_branch=inner)
    return graph(branch, node("ConstantOfShape", ["c"], ["y"]))


def within_a_scan() -> onnx.ModelProto:
    inner = body(node("ConstantOfShape", ["row"], ["b"]), given=("row",))
    return graph(node("Scan", ["x"], ["y"], body=inner, num_scan_inputs=1))


def within_a_function() -> onnx.ModelProto:
    made = graph(node("F", ["x"], ["y"]))
    nodes = [node("ConstantOfShape", ["p"], ["q"])]
    made.functions.append(helper.make_function("", "F", ["p"], ["q"], nodes, made.opset_import))
    return made


def by_a_shape_of_its_own() -> onnx.ModelProto:
    made = graph(node("Shape", ["x"], ["s"]), node("ConstantOfShape", ["s"], ["y"]))
    nodes = [node("Identity", ["p"], ["q"])]
    made.functions.append(helper.make_function("", "Shape", ["p"], ["q"], nodes, made.opset_import))
    return made


def nodes_in_another_order() -> onnx.ModelProto:
    return graph(node("ConstantOfShape", ["s"], ["y"]), *reversed(ASKED))


def what_is_asked() -> onnx.ModelProto:
    return onnx.ModelProto.FromString(allocates_what_is_asked())


@pytest.mark.parametrize(
    "make",
    [
        within_a_branch, out_of_a_branch, within_a_scan, within_a_function, by_a_shape_of_its_own,
        nodes_in_another_order, what_is_asked,
    ],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_it_is_refused_wherever_it_stands(make: Callable[[], onnx.ModelProto]) -> None:
    assert refused(make())


def test_what_is_converted_is_let_in() -> None:
    X, y = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32), [0, 1, 2] * 20
    assert not refused(onnx.ModelProto.FromString(good()))
    assert not refused(to_onnx(LogisticRegression().fit(X, y), X[:1]))
    assert not refused(to_onnx(KNeighborsClassifier(3).fit(X, y), X[:1]))
