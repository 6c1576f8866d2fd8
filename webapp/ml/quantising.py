"""Graphs with the weights of their products as integers of eight bits."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

#: Of a weight. Seven bits, not eight: processors without VNNI add two products in 16 bits, which more would overflow,
#: and a version has to answer the same on each of them.
LARGEST: Final = 63
#: The operators that this takes are of this opset or later.
OPSET: Final = 13


def quantised(data: bytes) -> bytes | None:
    """The graph with its matrices of weights as integers, each column on a scale of its own; None where it has none.

    What is multiplied by them is quantised by its range in each request (dynamic quantisation), which needs no
    calibration, with the operators DynamicQuantizeLinear and MatMulInteger of ONNX. Convolutions stay as they are.
    """
    import onnx  # heavy, and only publishing quantises

    model = onnx.load_model_from_string(data)
    graph = model.graph
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    outside = {value.name for value in (*graph.input, *graph.output)}
    nodes: list[Any] = []
    done: set[str] = set()
    for node in graph.node:
        name = _weights_of(node, weights)
        if name is None or name in outside:
            nodes.append(node)
            continue
        nodes += _product(node, _matrix(node, weights[name]), graph.initializer, len(nodes))
        done.add(name)
    if not done or opsets.get("", 0) < OPSET:
        return None
    used = {name for node in nodes for name in node.input} | outside
    kept = [tensor for tensor in graph.initializer if tensor.name not in done or tensor.name in used]
    for field, members in ((graph.node, nodes), (graph.initializer, kept)):
        copies = [type(member).FromString(member.SerializeToString()) for member in members]
        del field[:]
        field.extend(copies)
    made: bytes = model.SerializeToString()
    return made


def _weights_of(node: Any, weights: dict[str, Any]) -> str | None:
    """The name of the matrix that a product is by, where it is constant floats."""
    if node.op_type not in ("MatMul", "Gemm") or node.domain not in ("", "ai.onnx") or len(node.input) < 2:
        return None
    tensor = weights.get(node.input[1])
    turned = node.op_type == "Gemm" and _attributes(node).get("transA", 0)
    if tensor is None or len(tensor.dims) != 2 or tensor.data_type != 1 or turned:  # 1 is FLOAT
        return None
    return str(node.input[1])


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def _matrix(node: Any, tensor: Any) -> Any:
    """The weights, features × outputs, as the product has them."""
    from onnx import numpy_helper

    found = np.asarray(numpy_helper.to_array(tensor), np.float64)
    told = _attributes(node)
    return (found.T if told.get("transB", 0) else found) * told.get("alpha", 1.0)


def _product(node: Any, matrix: Any, initializers: Any, place: int) -> list[Any]:
    """Nodes that give what `node` gives, by integers; the tensors that they need go to `initializers`."""
    from onnx import helper, numpy_helper

    name = f"int8_{place}_{node.output[0]}"
    scale = np.maximum(np.abs(matrix).max(axis=0), np.finfo(np.float32).tiny) / LARGEST
    whole = np.rint(matrix / scale).astype(np.int8)
    initializers.append(numpy_helper.from_array(whole, f"{name}_weights"))
    initializers.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scales"))
    addend = list(node.input[2:3]) if node.op_type == "Gemm" else []
    product = f"{name}_product" if addend else node.output[0]
    nodes = [
        helper.make_node(
            "DynamicQuantizeLinear", [node.input[0]], [f"{name}_{x}" for x in ("in", "by", "zero")]
        ),
        helper.make_node(
            "MatMulInteger", [f"{name}_in", f"{name}_weights", f"{name}_zero"], [f"{name}_sums"]
        ),
        helper.make_node("Cast", [f"{name}_sums"], [f"{name}_floats"], to=1),
        helper.make_node("Mul", [f"{name}_by", f"{name}_scales"], [f"{name}_both"]),
        helper.make_node("Mul", [f"{name}_floats", f"{name}_both"], [product]),
    ]
    if addend:
        beta = _attributes(node).get("beta", 1.0)
        if beta != 1:
            initializers.append(numpy_helper.from_array(np.array(beta, np.float32), f"{name}_beta"))
            nodes.append(helper.make_node("Mul", [addend[0], f"{name}_beta"], [f"{name}_addend"]))
            addend = [f"{name}_addend"]
        nodes.append(helper.make_node("Add", [product, *addend], [node.output[0]]))
    return nodes
