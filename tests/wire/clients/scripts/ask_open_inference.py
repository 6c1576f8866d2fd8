"""The client made from the protocol's own description, open-inference-openapi."""

import httpx
from cases import CannotSay, answer, columns, datatype
from open_inference.openapi import InferenceRequest, RequestInput, RequestOutput
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError


def connected(case):
    headers = {"Authorization": f"Bearer {case['token']}"} if case["token"] else {}
    return OpenInferenceClient(base_url=case["url"], httpx_client=httpx.Client(headers=headers))


def tensor(name, values):
    if None in values:
        raise CannotSay("its tensors hold no null")
    return RequestInput(name=name, shape=[len(values)], datatype=datatype(values), data=values)


def ask(case):
    if "matrix" in case:
        rows = case["matrix"]
        inputs = [RequestInput(name="x", shape=[len(rows), len(rows[0])], datatype="FP64", data=rows)]
    else:
        inputs = [tensor(name, values) for name, values in columns(case["rows"]).items()]
    outputs = [RequestOutput(name=name) for name in case["outputs"]]
    request = InferenceRequest(id="asked-42", inputs=inputs, outputs=outputs)
    told = connected(case).model_infer(case["model"], request=request)
    assert told.id == "asked-42" and told.model_version == "1"
    return {output.name: told_of(output.shape, output.dict()["data"]) for output in told.outputs}


def told_of(shape, data):
    return data if shape[1] == 1 else [data[i : i + shape[1]] for i in range(0, len(data), shape[1])]


def refusal(error):
    return (error.status_code, str(error.body)) if isinstance(error, ApiError) else None


def calls(given):
    client = connected(given)
    return {
        "live": client.check_server_liveness(),
        "ready": client.check_server_readiness(),
        "model ready": client.check_model_readiness("iris"),
        "version ready": client.check_model_version_readiness("iris", "1"),
        "server": client.read_server_metadata().dict(),
        "model": client.read_model_metadata("iris").dict(),
        "version": client.read_model_version_metadata("iris", "1").dict(),
    }


if __name__ == "__main__":
    answer(ask, refusal, calls)
