"""What a version answers with, as tensors: their names, datatypes and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from webapp.ml.schema import Schema
from webapp.services.predictions import Made
from webapp.wire.tensors import common

REMEMBERED = 256


class Output(NamedTuple):
    """One tensor of an answer, `width` values a row; 0: its shape has one dimension."""

    name: str
    datatype: str
    width: int
    values: Callable[[Sequence[Made]], list[Any]]
    #: Whether it is answered with where a request names no outputs.
    usual: bool = True


#: By the digest of the schema.
_known: dict[str, dict[str, Output]] = {}


def shape(output: Output, n: int) -> list[int]:
    """The shape of a tensor of `n` rows, -1 where their number is open."""
    return [n, output.width] if output.width else [n]


def outputs(schema: Schema) -> dict[str, Output]:
    """The tensors that a version with this schema can answer with, by name."""
    found = _known.get(schema.digest)
    if found is None:
        if len(_known) >= REMEMBERED:
            _known.clear()
        found = _known[schema.digest] = _outputs(schema)
    return found


def _outputs(schema: Schema) -> dict[str, Output]:
    told, classes = schema.output, schema.output.classes
    found = [_prediction(schema)]
    if told.kind == "ranking":
        found.append(Output("predict_score", "FP64", told.top or len(classes), _ranked))
    elif told.probabilities:
        found.append(Output("predict_proba", "FP64", len(classes), _probabilities))
    if told.kind == "classification":
        found.append(Output("label", "BYTES", 1, lambda made: [one.label for one in made], usual=False))
    found.append(Output("prediction_id", "BYTES", 1, lambda made: [one.id for one in made], usual=False))
    return {output.name: output for output in found}


def _prediction(schema: Schema) -> Output:
    told, classes = schema.output, schema.output.classes
    if told.kind == "regression":
        return Output("predict", "FP64", 1, lambda made: [one.prediction for one in made])
    datatype = common({type(choice.value) for choice in classes})
    plain: Callable[[Any], Any] = str if datatype == "BYTES" else lambda value: value
    if told.kind == "ranking":
        width = told.top or len(classes)
        return Output(
            "predict", datatype, width, lambda made: [plain(v) for one in made for v in one.prediction]
        )
    return Output("predict", datatype, 1, lambda made: [plain(one.prediction) for one in made])


def _probabilities(made: Sequence[Made]) -> list[Any]:
    return [p for one in made for p in (one.probabilities or {}).values()]


def _ranked(made: Sequence[Made]) -> list[Any]:
    return [item["score"] for one in made for item in one.ranking or ()]
