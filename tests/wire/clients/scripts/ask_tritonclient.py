"""NVIDIA's client, with binary tensors or with JSON as `binary` says."""

import math

import numpy as np
from cases import CannotSay, answer, columns, datatype
from tritonclient import http
from tritonclient.utils import InferenceServerException, triton_to_np_dtype


def connected(case):
    token = case["token"]
    return http.InferenceServerClient(case["url"].removeprefix("http://")), (
        {"Authorization": f"Bearer {token}"} if token else {}
    )


def tensor(name, array, datatype, binary):
    made = http.InferInput(name, list(array.shape), datatype)
    return made.set_data_from_numpy(array, binary_data=binary)


def column(name, values, binary):
    kind = datatype(values)
    if None in values and kind != "FP64":
        raise CannotSay("a missing text would go out as the word None")
    array = np.array([math.nan if v is None else v for v in values], triton_to_np_dtype(kind))
    return tensor(name, array, kind, binary)


def ask(case):
    client, headers = connected(case)
    binary = case["binary"]
    if "matrix" in case:
        inputs = [tensor("input-0", np.array(case["matrix"]), "FP64", binary)]
    else:
        inputs = [column(name, values, binary) for name, values in columns(case["rows"]).items()]
    # Without names all outputs are asked for in binary, which is what the client does by itself.
    names = None if binary else [http.InferRequestedOutput(n, binary_data=False) for n in case["outputs"]]
    result = client.infer(
        case["model"],
        inputs,
        outputs=names,
        headers=headers,
        request_id="asked-42",
        request_compression_algorithm=case.get("compression"),
        response_compression_algorithm=case.get("compression"),
    )
    told = result.get_response()
    outputs = {output["name"]: result.as_numpy(output["name"]).tolist() for output in told["outputs"]}
    assert told["id"] == "asked-42" and told["model_version"] == "1"
    return {
        **outputs,
        **{name: flat(outputs[name]) for name in ("predict", "prediction_id") if name in outputs},
    }


def flat(column):
    return [value.decode() if isinstance(value, bytes) else value for (value,) in column]


def refusal(error):
    if isinstance(error, InferenceServerException):
        return int(error.status() or 0), error.message()
    return None


def calls(given):
    client, headers = connected(given)
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready("iris", headers=headers),
        "unknown model ready": client.is_model_ready("iriz", headers=headers),
        "server": client.get_server_metadata(headers=headers),
        "model": client.get_model_metadata("iris", headers=headers),
        "version": client.get_model_metadata("iris", "1", headers=headers),
        "index": client.get_model_repository_index(headers=headers),
        "statistics": client.get_inference_statistics("iris", headers=headers),
        #        "index": client.get_model_repository_index(headers=headers),
        #        "statistics": client.get_inference_statistics("iris", headers=headers),
    }


if __name__ == "__main__":
    answer(ask, refusal, calls)
