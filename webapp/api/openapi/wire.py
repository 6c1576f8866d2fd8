"""The Open Inference Protocol in the OpenAPI document, at its own addresses."""

from __future__ import annotations

from webapp.api.openapi.operations import JSON, MODEL, SIGNED_IN, VERSION, Node, Routes, answer, request
from webapp.api.openapi.predictions import KEY
from webapp.api.openapi.schemas import FLAG, TEXT, Schema, list_of, maybe, object_of, ref
from webapp.services.registry import ModelDetail

TAG = "open inference protocol"
ABOUT = "Version 2, as KServe, Triton and MLServer speak it; tensors in bytes are described by the protocol."
#: The protocol does not live under /api/v1.
SERVERS = [{"url": "/"}]
DATATYPES = ["BOOL", *(f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64))]
DATATYPES += ["FP16", "FP32", "FP64", "BYTES"]
_OPEN: Schema = {**list_of({"type": "integer", "minimum": -1}), "description": "-1 where it is open."}
_SHAPE: Schema = {**list_of({"type": "integer", "minimum": 0}), "maxItems": 8}
_TENSOR: dict[str, Schema] = {"name": TEXT, "datatype": {"enum": DATATYPES}}
_DATA: Schema = {"type": "array", "description": "Flat, or nested as the shape says."}
SCHEMAS: dict[str, Schema] = {
    "InferenceError": object_of({"error": {**TEXT, "description": "What was wrong, and what to do."}}),
    "InferenceServer": object_of({"name": TEXT, "version": TEXT, "extensions": list_of(TEXT)}),
    "InferenceModel": object_of(
        {
            "name": TEXT,
            "versions": list_of(TEXT),
            "platform": TEXT,
            "inputs": list_of(object_of({**_TENSOR, "shape": _OPEN})),
            "outputs": list_of(object_of({**_TENSOR, "shape": _OPEN})),
        }
    ),
    "InferenceRequest": object_of(
        {"inputs": {**list_of(object_of({**_TENSOR, "shape": _SHAPE, "data": _DATA})), "minItems": 1}},
        {"id": {**maybe(TEXT), "maxLength": 200, "description": "Comes back with the answer."}},
    ),
    "InferenceResponse": object_of(
        {
            "model_name": TEXT,
            "model_version": TEXT,
            "id": TEXT,
            "parameters": object_of({"warnings": {"type": "integer"}}, {"prediction_id": TEXT}),
            "outputs": list_of(object_of({**_TENSOR, "shape": _SHAPE, "data": _DATA})),
        }
    ),
}
#: 422 is a key that stands for another request; what is wrong with a body is 400 here.
ALWAYS, WITH_BODY = (400, 405, 429, 500, 503), (413, 415, 422)


def routes(shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    named = {"live": FLAG, "ready": FLAG}
    models = object_of({"models": list_of(TEXT)})
    found: Routes = {
        "/v2/health/live": _get(
            "v2_server_live", "The process answers", object_of({"live": FLAG}), security=[]
        ),
        "/v2/health/ready": _get("v2_server_ready", "The server can predict", object_of(named), security=[]),
        "/v2": _get("v2_server_metadata", "What this server is", ref("InferenceServer")),
        "/v2/models": _get("v2_models", "Names of the models", models),
    }
    for path, parameters, word in (
        ("/v2/models/{model}", [MODEL], ""),
        ("/v2/models/{model}/versions/{version}", [MODEL, VERSION], "_version"),
    ):
        ready = object_of({"name": TEXT, "ready": FLAG})
        found[path] = _get(f"v2{word}_metadata", "Tensors of a model", ref("InferenceModel"), parameters)
        found[f"{path}/ready"] = _get(f"v2{word}_ready", "The model can answer", ready, parameters)
        found[f"{path}/infer"] = {"post": _infer(f"v2{word}_infer", parameters, shown)}
    return found


def _get(
    name: str,
    summary: str,
    schema: Schema,
    parameters: list[str] | None = None,
    security: list[dict[str, list[str]]] = SIGNED_IN,
) -> dict[str, Node]:
    absent = [404] if parameters else []
    return {"get": _operation(name, summary, schema, [*(parameters or [])], absent, security)}


def _infer(name: str, parameters: list[str], shown: ModelDetail | None) -> Node:
    asked = _operation(
        name,
        "Predict the rows of the tensors",
        ref("InferenceResponse"),
        [*parameters, KEY],
        [403, 404, 409, *WITH_BODY],
    )
    return {**asked, "requestBody": request(ref("InferenceRequest"), shown and _example(shown))}


def _operation(
    name: str,
    summary: str,
    schema: Schema,
    parameters: list[Node | str],
    errors: list[int],
    security: list[dict[str, list[str]]] = SIGNED_IN,
) -> Node:
    codes = sorted({*ALWAYS, *errors, *((401,) if security else ())})
    refused = {str(code): _refused(code) for code in codes}
    return {
        "operationId": name,
        "summary": summary,
        "servers": SERVERS,
        "security": security,
        "parameters": parameters,
        "responses": {"200": answer("Done", schema), **refused},
    }


def _refused(code: int) -> Node:
    known = {401: {"WWW-Authenticate": "Authenticate"}, 405: {"Allow": "Allow"}}
    waits = {"Retry-After": "RetryAfter"} if code in (429, 503) else {}
    return answer("A problem", ref("InferenceError"), headers={**known.get(code, {}), **waits}, media=JSON)


def _example(shown: ModelDetail) -> Node:
    """One tensor for each feature, as they can be sent for any model."""
    return {
        "inputs": [
            {"name": name, "shape": [1, 1], "datatype": _datatype(value), "data": [value]}
            for name, value in shown.schema.example().items()
        ]
    }


def _datatype(value: object) -> str:
    return {bool: "BOOL", int: "INT64", float: "FP64"}.get(type(value), "BYTES")
