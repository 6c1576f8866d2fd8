"""KServe's REST client: protocol v1, v2, or v2 with binary tensors, as `protocol` and `binary` say."""

import asyncio
import math

import httpx
import numpy as np
from cases import CannotSay, answer, columns, datatype
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

NUMPY = {"BOOL": np.bool_, "INT64": np.int64, "FP64": np.float64, "BYTES": np.object_}


def authorised(case):
    return {"Authorization": f"Bearer {case['token']}"} if case["token"] else {}


def tensor(name, values, kind, shape, binary):
    made = InferInput(name, shape, kind, parameters={})
    if not binary:
        made.data = values
        return made
    if kind != "FP64" and None in values:
        raise CannotSay("a missing text would go out as the word None")
    filled = [math.nan if value is None else value for value in values]
    made.set_data_from_numpy(np.array(filled, NUMPY[kind]).reshape(shape), binary_data=True)
    return made


def request_v2(case):
    if "matrix" in case:
        rows = case["matrix"]
        flat = [value for row in rows for value in row]
        inputs = [tensor("input-0", flat, "FP64", [len(rows), len(rows[0])], case["binary"])]
    else:
        inputs = [
            tensor(name, values, datatype(values), [len(values)], case["binary"])
            for name, values in columns(case["rows"]).items()
        ]
    return InferRequest(case["model"], inputs, request_id="asked-42", parameters={"content_type": "pd"})


def ask(case):
    return asyncio.run(ask_v2(case) if case["protocol"] == "v2" else ask_v1(case))


async def ask_v2(case):
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        told = await client.infer(case["url"], request_v2(case), case["model"], headers=authorised(case))
    outputs = {output.name: output for output in told.outputs}
    scores = outputs.get("predict_proba")
    assert told.id == "asked-42"
    return {
        "predict": outputs["predict"].as_numpy().ravel().tolist(),
        "predict_proba": scores.as_numpy().tolist() if scores else None,
    }


async def ask_v1(case):
    rows = {"instances": case["matrix"] if "matrix" in case else case["rows"]}
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
        told = await client.infer(case["url"], rows, case["model"], headers=authorised(case))
    return {"predict": told["predictions"], "prediction_id": told["prediction_ids"]}


def refusal(error):
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code, str(error)
    return None


async def probes(given):
    made = {}
    for protocol in ("v1", "v2"):
        async with InferenceRESTClient(RESTConfig(protocol=protocol)) as client:
            made[f"model ready, {protocol}"] = await client.is_model_ready(
                given["url"], "iris", authorised(given)
            )
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        made["unknown model ready"] = await client.is_model_ready(given["url"], "iriz", authorised(given))
        made["live"] = await client.is_server_live(given["url"])
        made["ready"] = await client.is_server_ready(given["url"])
    return made


if __name__ == "__main__":
    answer(ask, refusal, lambda given: asyncio.run(probes(given)))
