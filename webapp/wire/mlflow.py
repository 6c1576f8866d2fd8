"""What MLflow's scoring server speaks: `/invocations`, of the default model or under the address of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flask import Blueprint, Request, Response, current_app

from webapp.doors import desk, here, json_bytes, json_response, tell
from webapp.errors import InvalidInput, Problem, UnsupportedMedia
from webapp.ml.schema import Schema
from webapp.services import predictions, tables
from webapp.services.predictions import Ask, Made, Refused
from webapp.wire.bodies import in_short, json_object, repeatable, sent, text_of
from webapp.wire.frames import by_column, by_row, fitted, known_only, split
from webapp.wording import said

blueprint = Blueprint("mlflow", __name__)

#: What the body of each media type is.
FORMATS = {
    "": "json",
    "application/json": "json",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
}
READERS = {
    "dataframe_split": split,
    "dataframe_records": by_row,
    "instances": by_row,
    "inputs": by_column,
}
#: MLflow's names of errors, by status.
CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}


@dataclass(slots=True)
class Invocation(Ask):
    """A request of the protocol, as one for predictions."""

    format: str = "json"
    data: bytes = b""
    #: Of `data`, if it is JSON.
    body: dict[str, Any] = field(default_factory=dict)
    #: Columns that the model has no use for; MLflow drops them, and so do we.
    unused: list[str] = field(default_factory=list)

    def rows_for(self, schema: Schema) -> list[Any]:
        """The rows of the table; raises InvalidInput, TooLarge, UnsupportedMedia."""
        if self.format != "json":
            found = desk().offload(partial(tables.read, desk(), self.data, self.format, schema))
            self.unused = found.unused
            return fitted(found.rows, schema)
        [form] = self.body.keys() & READERS.keys()
        rows, self.unused = known_only(READERS[form](self.body[form], schema), schema)
        return fitted(rows, schema)


@blueprint.get("/ping")
@blueprint.get("/health")
def ping() -> Response:
    """The registry can be read; raises NotReady."""
    desk().watch.numbers(fresh=True)
    return Response("\n", mimetype="application/json")


@blueprint.get("/version")
def version() -> Response:
    """Which version of this server answers; not one of MLflow."""
    return Response(current_app.config["VERSION"], mimetype="text/plain")


@blueprint.post("/invocations")
def invoke_default() -> Response:
    """Predict with the default model."""
    return invoke(desk().default_model)


@blueprint.post("/models/<name>/invocations")
@blueprint.post("/models/<name>/<version>/invocations")
def invoke(name: str, version: str | None = None) -> Response:
    """Predict every row of the table; `version` is a number or an alias."""
    asked, frame = here()
    ask = Invocation(name, (), "wire", frame.request_id, frame.started_ns, many=True)
    ask.format, ask.data, ask.correlation, ask.layout = (
        _format(asked),
        sent(),
        frame.correlation,
        ask.rows_for,
    )
    if ask.format == "json":
        _read(ask)
    if version is not None and version.isdigit():
        ask.version = version
    else:
        ask.alias = version
    frame.ask = ask
    repeatable(ask, ask.data)
    return _write(ask, predictions.make(desk(), frame.actor, ask))


def _format(asked: Request) -> str:
    """What the body is; raises UnsupportedMedia."""
    told = asked.mimetype_params.get("charset", "utf-8").lower()
    if asked.mimetype not in FORMATS or told not in ("utf-8", "utf8"):
        listed = ", ".join(filter(None, FORMATS))
        raise UnsupportedMedia(said("Send the body as one of these, in UTF-8: {listed}.", listed=listed))
    return FORMATS[asked.mimetype]


def _read(ask: Invocation) -> None:
    ask.body = json_object(ask.data)
    if len(ask.body.keys() & READERS.keys()) != 1:
        raise InvalidInput(
            [Problem("#", said("must have exactly one of {listed}", listed=", ".join(READERS)))]
        )
    options = ask.body.get("params")
    if isinstance(options, dict):
        ask.subject = text_of(options, "subject", "#/params")


def _write(ask: Invocation, answers: Sequence[Made | Refused]) -> Response:
    made = [one for one in answers if isinstance(one, Made)]
    told: dict[str, Any] = {
        "predictions": [one.prediction for one in made],
        "model": ask.model,
        "model_version": made[0].version,
        "prediction_ids": [one.id for one in made],
        "warnings": sum(len(one.warnings) for one in made),
    }
    if made[0].probabilities is not None:
        told["probabilities"] = [one.probabilities for one in made]
    if ask.unused:
        told["ignored_columns"] = ask.unused
    return json_response(told)


def refuse(error: Exception) -> Response:
    """An error as `{"error_code": …, "message": …}`; values that cannot be used are 400, as MLflow has it."""
    told = tell(error)
    code = 400 if told.status.slug == "invalid-input" else told.status.code
    name = "INVALID_PARAMETER_VALUE" if isinstance(error, InvalidInput) else CODES.get(code, "BAD_REQUEST")
    message = in_short(error) if isinstance(error, InvalidInput) else told.detail
    body = json_bytes({"error_code": name, "message": message})
    answer = Response(body, code, mimetype="application/json")
    answer.headers.extend(told.headers)
    return answer
