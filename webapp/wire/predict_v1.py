"""The `:predict` addresses of TensorFlow Serving, which are also version 1 of KServe's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response

from webapp.auth import actor
from webapp.doors import desk, here, json_response
from webapp.errors import InvalidInput, Problem
from webapp.ml.schema import Schema
from webapp.services import predictions, states
from webapp.services.predictions import Ask, Made, Refused
from webapp.services.states import State
from webapp.wire.bodies import json_object, repeatable, sent, text_of
from webapp.wire.frames import by_column, by_row, fitted
from webapp.wire.open_inference import models
from webapp.wording import said

blueprint = Blueprint("predict_v1", __name__, url_prefix="/v1")
blueprint.add_url_rule("/models", view_func=models)


@dataclass(slots=True)
class Query(Ask):
    """A request of the protocol, as one for predictions."""

    body: dict[str, Any] = field(default_factory=dict)

    def rows_for(self, schema: Schema) -> list[Any]:
        """The rows; raises InvalidInput."""
        if "instances" in self.body:
            rows = by_row(self.body["instances"], schema)
        else:
            rows = by_column(self.body["inputs"], schema)
        return fitted([_in_plain(row) for row in rows], schema)


@blueprint.get("/models/<name>")
@blueprint.get("/models/<name>/versions/<version>")
@blueprint.get("/models/<name>/labels/<label>")
def status(name: str, version: str | None = None, label: str | None = None) -> Response:
    """Whether the version can answer, in the words of both; where none is named, of all of them."""
    asked = states.state(desk().store, name, version, label, actor=actor())
    told = [asked] if version or label else states.states_of(desk().store, name, actor=actor())
    return json_response(
        {"name": name, "ready": not asked.problem, "model_version_status": [_status(one) for one in told]}
    )


@blueprint.post("/models/<name>:predict")
@blueprint.post("/models/<name>/versions/<version>:predict")
@blueprint.post("/models/<name>/labels/<label>:predict")
def predict(name: str, version: str | None = None, label: str | None = None) -> Response:
    """Predict every row of `instances`, or of the columns of `inputs`; a label is an alias."""
    _, frame = here()
    data = sent()
    body = json_object(data)
    if ("instances" in body) == ("inputs" in body):
        raise InvalidInput([Problem("#", said("must have either instances or inputs"))])
    ask = Query(name, (), "wire", frame.request_id, frame.started_ns, many=True)
    ask.body, ask.layout, ask.correlation = body, ask.rows_for, frame.correlation
    ask.version, ask.alias = version, label
    if isinstance(options := body.get("parameters"), dict):
        ask.subject = text_of(options, "subject", "#/parameters")
    frame.ask = ask
    repeatable(ask, data)
    return _write(ask, predictions.make(desk(), frame.actor, ask))


def _write(ask: Query, answers: Sequence[Made | Refused]) -> Response:
    made = [one for one in answers if isinstance(one, Made)]
    return json_response(
        {
            "predictions" if "instances" in ask.body else "outputs": [one.prediction for one in made],
            "model_version": made[0].version,
            "prediction_ids": [one.id for one in made],
        }
    )


def _in_plain(row: Any) -> Any:
    """The row with `{"b64": …}`, in which bytes are sent, as their text: that is how images are read."""
    if type(row) is not dict:
        return row
    return {name: _text(value) if type(value) is dict else value for name, value in row.items()}


def _text(value: dict[str, Any]) -> Any:
    return value["b64"] if value.keys() == {"b64"} else value


def _status(one: State) -> dict[str, Any]:
    code = "DATA_LOSS" if one.problem else "OK"
    return {
        "version": one.version,
        "state": "END" if one.problem else "AVAILABLE",
        "status": {"error_code": code, "error_message": one.problem},
    }
