"""Divisions of whole numbers that the processor does not survive: the least there is by -1, which ends the process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from webapp.errors import BadArtifact
from webapp.ml.onnx_messages import messages
from webapp.wording import said

DIVIDING: Final = frozenset({"Div", "Mod"})
#: Numbers of TensorProto.DataType: float, float16, double, bfloat16, and whole numbers without a sign.
_HARMLESS: Final = frozenset({1, 10, 11, 16, 2, 4, 12, 13})


def refuse_crashing_division(model: Any) -> None:
    """Raises BadArtifact for a graph (a ModelProto) that may divide a signed whole number by -1.

    Known to be harmless: numbers of other kinds, divisors in the file that are not -1, and dividends in the file that
    are not the least of their kind. Where neither can be told, as within some bodies, the graph is refused.
    """
    import onnx.inliner  # heavy, and only publishing reads graphs
    import onnx.shape_inference

    if not _doubtful(model):
        return
    try:
        whole = onnx.inliner.inline_local_functions(model) if model.functions else model
        typed = onnx.shape_inference.infer_shapes(whole)
    except Exception as error:
        raise BadArtifact(
            said(
                "The types in the graph can not be told ({error}); export it again.",
                error=type(error).__name__,
            )
        ) from error
    kinds = _kinds(typed)
    for node in _doubtful(typed):
        if not any(kinds[name] and kinds[name] <= _HARMLESS for name in node.input):
            raise BadArtifact(
                said(
                    "The graph divides whole numbers by what may be -1 ({name}), which can end the process "
                    "that serves it; export it with a division of floats, or by a constant.",
                    name=node.op_type,
                )
            )


def _doubtful(model: Any) -> list[Any]:
    """The divisions that are not harmless by the constants in them."""
    found = [node for node in _within(model, "NodeProto") if node.op_type in DIVIDING]
    if not found:
        return []
    constants = _constants(model, {name for node in found for name in node.input})
    return [node for node in found if not _by_constants(constants, *node.input[:2])]


def _by_constants(constants: dict[str, list[Any]], dividend: str = "", divisor: str = "") -> bool:
    tops, bottoms = constants.get(dividend), constants.get(divisor)
    if bottoms and all(array.dtype.kind != "i" or not (array == -1).any() for array in bottoms):
        return True
    return bool(tops) and all(
        array.dtype.kind != "i" or (array > _least(array)).all() for array in tops or ()
    )


def _least(array: Any) -> int:
    bits: int = 8 * array.dtype.itemsize
    return -(1 << (bits - 1))


def _constants(model: Any, names: set[str]) -> dict[str, list[Any]]:
    """Name → what the file says it is, for those of `names` that nothing else is called by."""
    from onnx import numpy_helper

    found, others = defaultdict(list), set[str]()
    for graph in _within(model, "GraphProto"):
        for tensor in graph.initializer:
            found[tensor.name].append(tensor)
        others |= {given.name for given in graph.input}
    for function in model.functions:
        others |= set(function.input)
    for node in _within(model, "NodeProto"):
        values = _written(node) if node.op_type == "Constant" else []
        if len(values) == len(node.output) == 1:
            found[node.output[0]].append(values[0])
        else:
            others |= set(node.output)
    return {
        name: [numpy_helper.to_array(tensor) for tensor in tensors]
        for name, tensors in found.items()
        if name in names - others and all(tensor.data_type <= 13 for tensor in tensors)
    }


def _written(node: Any) -> list[Any]:
    """What a Constant is, in the ways in which it may say so; whole numbers are of 64 bits then."""
    from onnx import helper

    found = []
    for a in node.attribute:
        if a.name == "value" and a.HasField("t"):
            found.append(a.t)
        elif a.name in ("value_int", "value_ints") and not a.ref_attr_name:
            whole = [a.i] if a.name == "value_int" else list(a.ints)
            shape = [] if a.name == "value_int" else [len(whole)]
            found.append(helper.make_tensor("", 7, shape, whole))  # 7 is INT64
    return found


def _kinds(model: Any) -> dict[str, set[int]]:
    """Name → data types that tensors of this name have, 0 among them for one that is not told."""
    found: dict[str, set[int]] = defaultdict(set)
    for graph in _within(model, "GraphProto"):
        for told in (*graph.input, *graph.output, *graph.value_info):
            found[told.name].add(told.type.tensor_type.elem_type)
        for tensor in graph.initializer:
            found[tensor.name].add(tensor.data_type)
    return found


def _within(root: Any, kind: str) -> Iterator[Any]:
    return (message for message in messages(root) if message.DESCRIPTOR.name == kind)
