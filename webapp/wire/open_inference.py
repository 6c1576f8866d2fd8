"""The Open Inference Protocol, version 2, over HTTP: what KServe, Triton and MLServer speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from flask import Blueprint, Response, current_app

from webapp.auth import actor
from webapp.doors import Data, client_request_id, desk, here, json_bytes, json_response, tell
from webapp.errors import AppError, InvalidInput, Problem
from webapp.lane import Shortcut
from webapp.ml.schema import Schema
from webapp.services import predictions, registry
from webapp.services.predictions import Ask, Made, Refused
from webapp.services.registry import ModelDetail
from webapp.wire import tensors
from webapp.wire.bodies import in_short, json_object, repeatable, sent, text_of
from webapp.wire.outputs import Output, outputs, shape
from webapp.wire.tensors import datatype_of, to_bytes
from webapp.wording import said

blueprint = Blueprint("open_inference", __name__, url_prefix="/v2")
EXTENSIONS = ["binary_tensor_data", "model_repository_index", "statistics"]
#: Bytes of the JSON where tensors follow it.
HEADER = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"


@dataclass(slots=True)
class Inference(Ask):
    """A request of the protocol, as one for predictions."""

    #: The client's own name for it, which comes back.
    named: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    #: What followed the JSON.
    raw: memoryview = field(default_factory=lambda: memoryview(b""))
    #: Of the version that answers.
    schema: Schema | None = None
    #: Outputs asked for, in order, and whether each is wanted in bytes; None: the usual ones.
    wanted: list[tuple[str, bool]] | None = None
    binary: bool = False

    def rows_for(self, schema: Schema) -> list[dict[str, Any]]:
        """The rows of the tensors; raises InvalidInput, also for outputs that there are not."""
        self.schema = schema
        known = outputs(schema)
        for n, (name, _) in enumerate(self.wanted or ()):
            if name not in known:
                told = said("is not an output of this model; it has {listed}", listed=", ".join(known))
                raise InvalidInput([Problem(f"#/outputs/{n}/name", told)])
        return tensors.rows(tensors.read(self.body.get("inputs"), self.raw), schema)


@blueprint.get("/health/live")
def live() -> Response:
    """The process answers."""
    return json_response({"live": True})


@blueprint.get("/health/ready")
def ready() -> Response:
    """The registry can be read; raises NotReady. Clients look for `ready`, the specification says `live`."""
    desk().watch.numbers(fresh=True)
    return json_response({"ready": True, "live": True})


@blueprint.get("", strict_slashes=False)
def server() -> Response:
    """What this server is, and what it can do besides."""
    return json_response(
        {"name": "parecer", "version": current_app.config["VERSION"], "extensions": EXTENSIONS}
    )


@blueprint.get("/models")
def models() -> Response:
    """The names of the models."""
    return json_response({"models": [model.name for model in registry.list_models(actor())]})


@blueprint.get("/models/<name>")
@blueprint.get("/models/<name>/versions/<version>")
def metadata(name: str, version: str | None = None) -> Response:
    """The tensors that a version takes and gives."""
    detail = registry.describe(desk().store, name, version, actor=actor())
    inputs = [
        {"name": feature.name, "datatype": datatype_of(feature), "shape": [-1, 1]}
        for feature in detail.schema.features
    ]
    given = [
        {"name": output.name, "datatype": output.datatype, "shape": shape(output, -1)}
        for output in outputs(detail.schema).values()
    ]
    return json_response(
        {
            "name": name,
            "versions": [v.number for v in detail.versions],
            "platform": _platform(detail),
            "inputs": inputs,
            "outputs": given,
        }
    )


@blueprint.get("/models/<name>/ready")
@blueprint.get("/models/<name>/versions/<version>/ready")
def model_ready(name: str, version: str | None = None) -> Response:
    """The version can answer; raises NotFound, NotReady."""
    found = desk().resolver.find(name, version, actor=actor())
    return json_response({"name": found.model, "ready": True})


@blueprint.post("/models/<name>/infer")
@blueprint.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None = None) -> Response:
    """Predict every row of the tensors."""
    asked, frame = here()
    data = sent()
    ask = _read(name, data, asked.environ, frame.request_id, frame.started_ns)
    frame.ask = ask
    ask.version = version
    ask.correlation = frame.correlation or ask.correlation
    repeatable(ask, data)
    answer = _write(ask, predictions.make(desk(), frame.actor, ask))
    return answer if isinstance(answer, Response) else Data(answer)


def _read(name: str, data: bytes, environ: Mapping[str, Any], request_id: str, started_ns: int) -> Inference:
    length = _json_length(environ.get(HEADER), data)
    body = json_object(data[:length])
    ask = Inference(name, (), "wire", request_id, started_ns, many=True)
    ask.body, ask.raw, ask.layout = body, memoryview(data)[length:], ask.rows_for
    ask.named = text_of(body, "id")
    ask.correlation = client_request_id(ask.named)
    options = body.get("parameters")
    if isinstance(options, dict):
        ask.binary = options.get("binary_data_output") is True
        ask.subject = text_of(options, "subject", "#/parameters")
    if body.get("outputs") is not None:
        ask.wanted = _wanted(body["outputs"], ask.binary)
    return ask


def _json_length(header: str | None, data: bytes) -> int:
    if header is None:
        return len(data)
    if not (header.isascii() and header.isdigit() and 0 < int(header[:12]) <= len(data)):
        told = said("the header Inference-Header-Content-Length must be the length of the JSON, in bytes")
        raise InvalidInput([Problem("#", told)])
    return int(header)


def _wanted(listed: Any, binary: bool) -> list[tuple[str, bool]] | None:
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in listed
    ):
        raise InvalidInput([Problem("#/outputs", said("must be a list of objects with a name"))])
    found = []
    for one in listed:
        options = one.get("parameters")
        asked = options.get("binary_data") if isinstance(options, dict) else None
        found.append((one["name"], binary if asked is None else asked is True))
    return found or None


def _usual(
    name: str, data: bytes, environ: Mapping[str, Any], request_id: str, started_ns: int
) -> Inference | None:
    try:
        return _read(name, data, environ, request_id, started_ns)
    except AppError:
        return None


def _write(asked: Ask, made: Sequence[Made | Refused]) -> bytes | Response:
    ask, answers = cast(Inference, asked), cast(Sequence[Made], made)
    schema = ask.schema
    if ask.replayed or schema is None:  # by whichever version it was then
        schema = desk().resolver.find(ask.model, answers[0].version, actor=None).predictor.schema
    known = outputs(schema)
    wanted = ask.wanted or [(output.name, ask.binary) for output in known.values() if output.usual]
    told, parts = [], []
    for name, binary in wanted:
        described, part = _tensor(known[name], answers, binary=binary)
        told.append(described)
        parts.append(part)
    parameters: dict[str, Any] = {"warnings": sum(len(one.warnings) for one in answers)}
    if len(answers) == 1:
        parameters["prediction_id"] = answers[0].id
    body = json_bytes(
        {
            "model_name": ask.model,
            "model_version": answers[0].version,
            "id": ask.named or ask.request_id,
            "parameters": parameters,
            "outputs": told,
        }
    )
    raw = b"".join(parts)
    if not any(binary for _, binary in wanted):
        return body
    answer = Response(body + raw, mimetype="application/octet-stream")
    answer.headers["Inference-Header-Content-Length"] = str(len(body))
    return answer


def _tensor(output: Output, made: Sequence[Made], *, binary: bool) -> tuple[dict[str, Any], bytes]:
    values = output.values(made)
    told: dict[str, Any] = {
        "name": output.name,
        "datatype": output.datatype,
        "shape": shape(output, len(made)),
    }
    if not binary:
        return told | {"data": values}, b""
    part = to_bytes(output.datatype, values)
    return told | {"parameters": {"binary_data_size": len(part)}}, part


def _platform(detail: ModelDetail) -> str:
    return "onnxruntime_onnx" if "onnx" in detail.manifest else "sklearn"


def refuse(error: Exception) -> Response:
    """An error as `{"error": …}`; values that cannot be used are 400 here, as in other servers."""
    told = tell(error)
    detail = in_short(error) if isinstance(error, InvalidInput) else told.detail
    code = 400 if told.status.code == 422 and told.status.slug != "key-reused" else told.status.code
    answer = Response(json_bytes({"error": detail}), code, mimetype="application/json")
    answer.headers.extend(told.headers)
    return answer


SHORTCUT = Shortcut(
    "open_inference.infer",
    "/v2/models/",
    "/infer",
    frozenset({"", "application/json", "application/octet-stream"}),
    frozenset(),
    _usual,
    _write,
    refuse,
)
