"""Graphs whose work depends on the values they are asked: small for every sample, and endless for one question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from webapp.errors import BadArtifact
from webapp.wording import said

#: Operator → the places of its inputs that decide how large its outputs are, or how many.
DECIDING: Final[dict[str, tuple[int, ...]]] = {
    "AffineGrid": (1,), "BlackmanWindow": (0,), "CenterCropPad": (1,), "Col2Im": (1, 2), "Compress": (1,),
    "ConstantOfShape": (0,), "DFT": (1, 2), "Expand": (1,), "HammingWindow": (0,), "HannWindow": (0,), "If": (0,),
    "ImageDecoder": (0,), "MaxUnpool": (2,), "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (0, 1, 2, 3, 4), "NonZero": (0,), "OneHot": (1,), "Pad": (1, 3), "Range": (0, 1, 2),
    "Reshape": (1,), "Resize": (1, 2, 3), "STFT": (1, 3), "SequenceAt": (1,), "SequenceErase": (1,),
    "SequenceInsert": (2,), "Slice": (1, 2, 3, 4), "Split": (1,), "SplitToSequence": (1,), "Squeeze": (1,),
    "StringNormalizer": (0,), "StringSplit": (0,), "Tile": (1, 2), "TopK": (1,), "Unique": (0,),
    "Unsqueeze": (1,), "Upsample": (1,),
}  # fmt: skip
#: What these tell of a tensor is the same for all values in it.
SHAPES: Final = frozenset({"Shape", "Size"})
_DOMAINS: Final = ("", "ai.onnx")


def refuse_sizes_by_value(model: Any) -> None:
    """Raises BadArtifact for a graph (a ModelProto) in which a value that is asked decides a size or a branch.

    Names are followed from the inputs wherever they lead, in any order of the nodes. Inside bodies and functions every
    parameter counts as asked; so some graphs are refused that would do no harm, and none is let in that could.
    """
    nodes = list(_nodes(model))
    own = {function.name for function in model.functions}
    leads: dict[str, list[str]] = {}
    for node in nodes:
        if node.op_type in SHAPES - own and node.domain in _DOMAINS:
            continue
        for source in (*node.input, *_results(node)):
            if source:  # an input that is left out leads nowhere
                leads.setdefault(source, []).extend(node.output)
    asked = _reached(_parameters(model, nodes), leads)
    for node in nodes:
        places = DECIDING.get(node.op_type, ()) or _axes(node.op_type)
        if any(node.input[i] in asked for i in places if i < len(node.input)) or _doubles(node, asked):
            raise BadArtifact(
                said(
                    "In the graph, values that are asked decide how much work it is ({name}); export it so "
                    "that sizes and branches depend on the number of rows alone.",
                    name=node.op_type[:60],
                )
            )


def _axes(operator: str) -> tuple[int, ...]:
    return (1,) if operator.startswith("Reduce") else ()


def _doubles(node: Any, asked: set[str]) -> bool:
    """Whether a text that is asked is written behind another: some thirty of these make gigabytes of a letter."""
    return node.op_type == "StringConcat" and asked.issuperset(node.input)


def _nodes(model: Any) -> Iterator[Any]:
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(inner for body in _bodies(node) for inner in body.node)


def _bodies(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _results(node: Any) -> Iterator[str]:
    return (output.name for body in _bodies(node) for output in body.output)


def _parameters(model: Any, nodes: Iterable[Any]) -> list[str]:
    constant = {tensor.name for tensor in model.graph.initializer}
    names = [given.name for given in model.graph.input if given.name not in constant]
    names += [name for function in model.functions for name in function.input]
    return names + [given.name for node in nodes for body in _bodies(node) for given in body.input]


def _reached(names: Iterable[str], leads: dict[str, list[str]]) -> set[str]:
    waiting, reached = list(names), set(names)
    while waiting:
        for name in leads.pop(waiting.pop(), ()):
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    reached.discard("")  # an output that is left out
    return reached
