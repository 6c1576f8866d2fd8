from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from webapp.ml.engines import open_session
from webapp.ml.quantising import LARGEST, quantised

CHANCE = np.random.default_rng(0)
WEIGHTS = CHANCE.normal(size=(16, 8)).astype(np.float32)
ADDED = CHANCE.normal(size=8).astype(np.float32)
ROWS = CHANCE.normal(size=(40, 16)).astype(np.float32)


def graph(*nodes: Any, opset: int = 21, **tensors: Any) -> bytes:
    made = helper.make_graph(
        list(nodes),
        "products",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    data: bytes = helper.make_model(made, opset_imports=imports, ir_version=10).SerializeToString()
    return data


def run(data: bytes, rows: Any = ROWS) -> Any:
    return open_session(data).run(None, {"x": rows})[0]


def small(data: bytes) -> bytes:
    made = quantised(data)
    assert made is not None
    onnx.checker.check_model(onnx.load_model_from_string(made), full_check=True)
    return made


PRODUCTS = {
    "MatMul": graph(helper.make_node("MatMul", ["x", "w"], ["y"]), w=WEIGHTS),
    "Gemm": graph(helper.make_node("Gemm", ["x", "w", "b"], ["y"]), w=WEIGHTS, b=ADDED),
    "turned": graph(
        helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1, alpha=0.5, beta=2.0),
        w=np.ascontiguousarray(WEIGHTS.T),
        b=ADDED,
    ),
    "shared": graph(
        helper.make_node("MatMul", ["x", "w"], ["one"]),
        helper.make_node("Gemm", ["x", "w"], ["other"]),
        helper.make_node("Add", ["one", "other"], ["y"]),
        w=WEIGHTS,
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_come_near_what_they_were(name: str) -> None:
    data = PRODUCTS[name]
    made = small(data)
    nodes = {node.op_type for node in onnx.load_model_from_string(made).graph.node}
    assert "MatMulInteger" in nodes and not nodes & {"MatMul", "Gemm"}
    was, now = run(data), run(made)
    assert 0 < np.abs(was - now).max() < 0.05 * was.std()


def test_each_column_has_a_scale_of_its_own() -> None:
    """Else a column of small weights would all be 0."""
    scales = np.array([1e-3, 1, 1e3, 1, 1, 1, 1, 1], np.float32)
    data = graph(helper.make_node("MatMul", ["x", "w"], ["y"]), w=WEIGHTS * scales)
    was, now = run(data), run(small(data))
    assert (np.abs(was - now).max(axis=0) < 0.05 * was.std(axis=0)).all()


def test_weights_leave_room_for_two_products_in_16_bits() -> None:
    """So that processors with and without VNNI, whose sums of pairs are that narrow, answer alike."""
    made = onnx.load_model_from_string(small(PRODUCTS["MatMul"]))
    (whole,) = (numpy_helper.to_array(t) for t in made.graph.initializer if t.data_type == TensorProto.INT8)
    assert np.abs(whole.astype(int)).max() == LARGEST and 2 * 255 * LARGEST < 2**15
    extreme = np.where(CHANCE.random((40, 16)) < 0.5, -1, 1).astype(np.float32)
    assert np.abs(run(PRODUCTS["MatMul"], extreme) - run(made.SerializeToString(), extreme)).max() < 0.2


def test_a_column_of_nothing_stays_nothing() -> None:
    empty = WEIGHTS.copy()
    empty[:, 3] = 0
    assert (run(small(graph(helper.make_node("MatMul", ["x", "w"], ["y"]), w=empty)))[:, 3] == 0).all()


@pytest.mark.parametrize(
    "data",
    [
        graph(helper.make_node("MatMul", ["x", "w"], ["y"]), w=WEIGHTS, opset=11),
        graph(helper.make_node("Slice", ["x", "a", "b", "c"], ["y"]),
              a=np.array([0]), b=np.array([8]), c=np.array([1])),
        graph(
            helper.make_node("Cast", ["x"], ["x64"], to=TensorProto.DOUBLE),
            helper.make_node("MatMul", ["x64", "w"], ["y64"]),
            helper.make_node("Cast", ["y64"], ["y"], to=TensorProto.FLOAT),
            w=WEIGHTS.astype(np.float64),
        ),
    ],
    ids=["older operators", "no product", "doubles"],
)  # fmt: skip
def test_a_graph_without_such_products_has_no_smaller_form(data: bytes) -> None:
    assert quantised(data) is None
