"""A graph that could divide the least whole number by -1 is refused: the processor ends whoever tries."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.naive_bayes import GaussianNB

from webapp.errors import BadArtifact
from webapp.ml.onnx_files import check_onnx

node = helper.make_node
WHOLE = node("Cast", ["x"], ["i"], to=TensorProto.INT64)


def graph(*nodes: Any, **constants: Any) -> onnx.ModelProto:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    taken = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    kept = [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()]
    made = helper.make_graph(list(nodes), "g", [given], [taken], initializer=kept)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])


def refused(model: onnx.ModelProto) -> bool:
    try:
        check_onnx(model.SerializeToString())
    except BadArtifact as error:
        assert "divides whole numbers" in error.detail
        return True
    return False


@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize(
    ("names", "constants", "expected"),
    [
        (["i", "i"], {}, True),
        (["i", "c"], {"c": [3, -1]}, True),
        (["i", "c"], {"c": [3, -2]}, False),
        (["c", "i"], {"c": [-(2**63)]}, True),
        (["c", "i"], {"c": [-(2**63) + 1, 7]}, False),
        (["x", "x"], {}, False),
        (["x", "c"], {"c": np.float32(-1)}, False),
    ],
)
def test_a_division_is_refused_unless_it_is_known_to_be_harmless(
    operator: str, names: list[str], constants: dict[str, Any], expected: bool
) -> None:
    assert refused(graph(WHOLE, node(operator, names, ["y"]), **constants)) is expected


def test_a_constant_may_be_a_node() -> None:
    for value, expected in ((-1, True), (2, False)):
        tensor = numpy_helper.from_array(np.array([value]))
        constant = node("Constant", [], ["c"], value=tensor)
        assert refused(graph(WHOLE, constant, node("Div", ["i", "c"], ["y"]))) is expected


@pytest.mark.parametrize(("value", "expected"), [(-1, True), (2, False), ([2, -1], True), ([2, 3], False)])
def test_a_constant_may_be_written_as_numbers(value: Any, expected: bool) -> None:
    how = {"value_ints" if isinstance(value, list) else "value_int": value}
    constant = node("Constant", [], ["c"], **how)
    assert refused(graph(WHOLE, constant, node("Div", ["i", "c"], ["y"]))) is expected


def test_a_name_that_means_two_things_is_no_constant() -> None:
    inner = helper.make_graph(
        [node("Identity", ["i"], ["c"])],
        "b",
        [],
        [helper.make_tensor_value_info("c", TensorProto.INT64, None)],
    )
    branch = node("If", ["t"], ["d"], then_branch=inner, else_branch=inner)
    assert refused(graph(WHOLE, branch, node("Div", ["i", "c"], ["y"]), c=[2], t=True))


@pytest.mark.parametrize("whole", [True, False])
def test_divisions_within_functions_are_followed(whole: bool) -> None:
    made = graph(WHOLE, node("F", ["i" if whole else "x"], ["y"]))
    function = helper.make_function(
        "", "F", ["a"], ["b"], [node("Div", ["a", "a"], ["b"])], made.opset_import
    )
    made.functions.append(function)
    assert refused(made) is whole


def test_a_converted_model_that_divides_is_let_in() -> None:
    X = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)
    made = to_onnx(GaussianNB().fit(X, [0, 1, 2] * 20), X[:1])
    assert "Div" in check_onnx(made.SerializeToString())
