"""ONNX graphs from outside: refused when they reach beyond their own bytes, then read for their shape."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from webapp.errors import BadArtifact
from webapp.ml.engines import open_session
from webapp.ml.layout import Layout
from webapp.ml.onnx_division import refuse_crashing_division
from webapp.ml.onnx_messages import messages
from webapp.ml.onnx_sizes import refuse_sizes_by_value
from webapp.wording import said

MAX_BYTES: Final = 500 * 2**20
MAX_NODES: Final = 100_000
DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
    "tensor(string)": "str",
}


def check_onnx(data: bytes) -> dict[str, int]:
    """How often each operator stands in a graph, the most frequent first.

    Raises BadArtifact for what is not a graph, is too large, has operators of other domains, may loop without end, lets
    the values that are asked decide how much work it is, may end the process by a division or a single class, or has a
    tensor outside the file: in initializers, sparse ones, attributes, subgraphs or functions.
    """
    import onnx  # heavy, and only publishing reads graphs
    from google.protobuf.message import DecodeError

    if len(data) > MAX_BYTES:
        raise BadArtifact(said("The file has more than {most} MB.", most=MAX_BYTES >> 20))
    try:
        model = onnx.ModelProto.FromString(data)
    except (DecodeError, RecursionError) as error:
        raise BadArtifact(
            said("This is not a whole ONNX file; export the model and copy all of it.")
        ) from error
    if not model.graph.node:
        raise BadArtifact(said("This is not an ONNX file, or its graph is empty."))
    operators: Counter[str] = Counter()
    for message in messages(model):
        if isinstance(message, onnx.TensorProto):
            _refuse_external(message, onnx.TensorProto.EXTERNAL)
        elif isinstance(message, onnx.NodeProto):
            operators[message.op_type[:60]] += 1
            _refuse_operator(message, operators.total())
        elif (
            isinstance(message, (onnx.OperatorSetIdProto, onnx.FunctionProto))
            and message.domain not in DOMAINS
        ):
            raise BadArtifact(
                said("Operators of the domain “{name}” are not served.", name=message.domain[:60])
            )
    refuse_sizes_by_value(model)
    refuse_crashing_division(model)
    return dict(operators.most_common())


def _refuse_external(tensor: Any, external: int) -> None:
    if tensor.data_location == external or tensor.external_data:
        raise BadArtifact(
            said(
                "The tensor “{name}” lies outside the file; save the model as one file.",
                name=tensor.name[:60],
            )
        )


def _refuse_operator(node: Any, nodes: int) -> None:
    if nodes > MAX_NODES:
        raise BadArtifact(said("The graph has more than {most} nodes.", most=MAX_NODES))
    if node.domain not in DOMAINS:
        raise BadArtifact(said("Operators of the domain “{name}” are not served.", name=node.domain[:60]))
    if node.op_type == "Loop":
        raise BadArtifact(said("The graph has a Loop, which may never end; export it without one."))
    refuse_lone_class(node)


def refuse_lone_class(node: Any) -> None:
    """Raises BadArtifact for trees that know one class by its name: the runtime looks for a second one.

    It does so for the rows that score above a half, and then ends the process.
    """
    if node.op_type == "TreeEnsembleClassifier" and any(
        attribute.name == "classlabels_strings" and len(attribute.strings) == 1
        for attribute in node.attribute
    ):
        raise BadArtifact(
            said("The trees of the graph know a single class, which needs no model; fit them on two or more.")
        )


def _several(outputs: Any) -> bool:
    shape = list(outputs[0].shape or [])
    return len(outputs) == 1 and len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 1


def onnx_layout(data: bytes, columns: list[str], *, images: bool = False) -> tuple[Layout, bool, bool]:
    """(layout, is a classifier, has probabilities) of a checked graph over these columns.

    One output of floats and nothing else, several for a row, is taken for the probabilities of classes in order.
    """
    session = open_session(data)
    inputs = session.get_inputs()
    kinds = {output.type for output in session.get_outputs()}
    maps = any(kind.startswith("seq(map(") for kind in kinds)
    classifies = (
        maps
        or bool(kinds & {"tensor(int64)", "tensor(string)", "tensor(bool)"})
        or _several(session.get_outputs())
    )
    probabilities = classifies and (maps or bool(kinds & {"tensor(float)", "tensor(double)"}))
    if images:
        return Layout("images", (inputs[0].name,), ("float32",)), classifies, probabilities
    strange = [i for i in inputs if i.type not in _TYPES]
    if strange:
        raise BadArtifact(
            said(
                "The input “{name}” has a type that is not served: {type}.",
                name=strange[0].name[:60],
                type=strange[0].type,
            )
        )
    if fixed := [i for i in inputs if i.shape and isinstance(i.shape[0], int)]:
        raise BadArtifact(
            said(
                "The input “{name}” takes exactly {rows} rows; export the model with a first dimension of "
                "any size (dynamic batch).",
                name=fixed[0].name[:60],
                rows=fixed[0].shape[0],
            )
        )
    dtypes = tuple(_TYPES[i.type] for i in inputs)
    if len(inputs) == 1 and (len(columns) > 1 or inputs[0].name != columns[0]):
        width = inputs[0].shape[-1] if inputs[0].shape else None
        if dtypes[0] in ("str", "bool") or (isinstance(width, int) and width != len(columns)):
            raise BadArtifact(
                said(
                    "The graph takes {width} numbers a row, but the sample has {columns} columns beside the target; "
                    "give the columns it was trained with, in their order.",
                    width=width,
                    columns=len(columns),
                )
                if isinstance(width, int)
                else said(
                    "The graph's input does not fit the sample's {columns} columns.", columns=len(columns)
                )
            )
        return Layout("matrix", (inputs[0].name,), dtypes), classifies, probabilities
    if [i.name for i in inputs] != columns:
        raise BadArtifact(
            said("The graph's inputs must be one tensor, or the sample's columns in their order.")
        )
    return Layout("columns", tuple(columns), dtypes), classifies, probabilities
