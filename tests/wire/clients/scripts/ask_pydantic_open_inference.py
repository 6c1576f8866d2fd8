"""pydantic-open-inference, which shows no token and whose models of inputs and outputs are classes."""

from typing import Annotated, NamedTuple

import pydantic
from cases import CannotSay, answer, columns
from pydantic_open_inference import (
    BadStatusCodeFromServerError,
    DatatypeOverride,
    InputsBaseModel,
    OutputsBaseModel,
    RemoteModel,
)


class Classes(OutputsBaseModel):
    predict: list[tuple[str]]
    predict_proba: list[tuple[float, float, float]] | list[tuple[float, float]]


class Numbers(OutputsBaseModel):
    predict: list[tuple[float]]


class Length(NamedTuple):
    value: float


class Name(NamedTuple):
    value: str


class Scores(NamedTuple):
    setosa: float
    versicolor: float
    virginica: float


class Flower(InputsBaseModel):
    sepal_length: Annotated[list[Length], DatatypeOverride("FP64")]
    petal_width: Annotated[list[Length], DatatypeOverride("FP64")]


class Species(OutputsBaseModel):
    predict: list[Name]
    predict_proba: list[Scores]


def remote(case, inputs, outputs):
    return RemoteModel(
        server_url=case["url"], model_name=case["model"], inputs_model=inputs, outputs_model=outputs
    )


def model_of(told):
    """A class of inputs with a field for each tensor: lists of what its first value is."""
    fields = {name: (list[kind_of(values[0])], ...) for name, values in told.items()}
    return pydantic.create_model("Asked", __base__=InputsBaseModel, **fields)


def kind_of(value):
    return list[type(value[0])] if isinstance(value, list) else type(value)


def ask(case):
    told = {"x": case["matrix"]} if "matrix" in case else columns(case["rows"])
    if any(None in values for values in told.values()):
        raise CannotSay("its lists hold no null")
    inputs = model_of(told)
    outputs = Classes if "predict_proba" in case["outputs"] else Numbers
    answered = remote(case, inputs, outputs).infer(inputs(**told))
    scores = getattr(answered, "predict_proba", None)
    return {
        "predict": [value for (value,) in answered.predict],
        "predict_proba": [list(row) for row in scores] if scores else None,
    }


def refusal(error):
    return (error.status_code, None) if isinstance(error, BadStatusCodeFromServerError) else None


def calls(given):
    known = remote({**given, "model": "iris"}, Flower, Species)
    unknown = remote({**given, "model": "iriz"}, Flower, Species)
    return {"ready": known.is_ready(), "valid": known.validate(), "unknown ready": unknown.is_ready()}


if __name__ == "__main__":
    answer(ask, refusal, calls)
