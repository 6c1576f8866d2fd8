"""The Open Inference Protocol over the demo models: shapes, datatypes, bytes, refusals."""

from __future__ import annotations

import gzip
import json
import math
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

FLOWER = [5.1, 3.5, 1.4, 0.2]
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
Infer = Callable[..., TestResponse]


def matrix(*rows: list[Any], datatype: str = "FP64") -> dict[str, Any]:
    return {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": datatype, "data": list(rows)}


@pytest.fixture
def infer(client: FlaskClient, token: Callable[[str], str]) -> Infer:
    def infer(body: Any, model: str = "iris", **request: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {token('alice')}", **request.pop("headers", {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(f"/v2/models/{model}/infer", data=data, headers=headers, **request)

    infer({"inputs": [matrix(FLOWER)]})  # a caller met before takes the short lane
    return infer


def outputs(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json["outputs"]}  # type: ignore[index]


def error(answer: TestResponse) -> str:
    assert list(answer.json) == ["error"]  # type: ignore[arg-type]
    return str(answer.json["error"])  # type: ignore[index]


def test_a_matrix_is_answered_as_the_json_api_answers(infer: Infer, api: Callable[[str], Any]) -> None:
    answer = infer({"id": "42", "inputs": [matrix(FLOWER, [6.2, 3.4, 5.4, 2.3])]})
    found = outputs(answer)
    assert answer.json["id"] == "42"  # type: ignore[index]
    assert answer.json["model_version"] == "1"  # type: ignore[index]
    assert found["predict"]["datatype"] == "BYTES"
    assert found["predict"]["shape"] == [2, 1]
    assert found["predict_proba"]["shape"] == [2, 3]
    native = api("alice")(
        "POST", "/models/iris/predict", {"instances": [dict(zip(NAMES, FLOWER, strict=True))]}
    )[1]["predictions"][0]
    assert found["predict"]["data"][0] == native["prediction"]
    assert found["predict_proba"]["data"][:3] == list(native["probabilities"].values())


def test_the_record_knows_the_way_and_the_clients_id(infer: Infer, api: Callable[[str], Any]) -> None:
    answer = infer({"id": "order-9", "inputs": [matrix(FLOWER)], "parameters": {"subject": "p-1"}})
    kept = api("alice")("GET", f"/predictions/{answer.json['parameters']['prediction_id']}")[1]  # type: ignore[index]
    assert (kept["channel"], kept["client_request_id"], kept["subject"]) == ("wire", "order-9", "p-1")
    assert kept["inputs"] == dict(zip(NAMES, FLOWER, strict=True))


def test_columns_come_by_name_in_any_order(infer: Infer) -> None:
    columns = [
        {"name": name, "shape": [1] if n % 2 else [1, 1], "datatype": "FP32", "data": [value]}
        for n, (name, value) in enumerate(reversed(list(zip(NAMES, FLOWER, strict=True))))
    ]
    assert outputs(infer({"inputs": columns}))["predict"]["data"] == ["setosa"]


def test_data_may_be_flat_or_nested(infer: Infer) -> None:
    flat = {**matrix(FLOWER, FLOWER), "data": FLOWER * 2}
    assert outputs(infer({"inputs": [flat]}))["predict"]["data"] == ["setosa"] * 2


def test_outputs_are_those_that_are_named(infer: Infer) -> None:
    answer = infer({"inputs": [matrix(FLOWER)], "outputs": [{"name": "label"}, {"name": "prediction_id"}]})
    found = outputs(answer)
    assert list(found) == ["label", "prediction_id"]
    assert found["label"]["data"] == ["setosa"]
    assert "predict, predict_proba, label" in error(
        infer({"inputs": [matrix(FLOWER)], "outputs": [{"name": "transform"}]})
    )


def binary(tensors: list[tuple[dict[str, Any], bytes]], **more: Any) -> tuple[bytes, dict[str, str]]:
    told = [{**t, "parameters": {"binary_data_size": len(raw)}} for t, raw in tensors]
    head = json.dumps({"inputs": told, **more}).encode()
    return head + b"".join(raw for _, raw in tensors), {"Inference-Header-Content-Length": str(len(head))}


def test_tensors_may_follow_the_json_as_bytes(infer: Infer) -> None:
    frame = {"name": "x", "shape": [1, 4], "datatype": "FP64"}
    body, headers = binary([(frame, struct.pack("<4d", *FLOWER))])
    assert outputs(infer(body, headers=headers))["predict"]["data"] == ["setosa"]
    body, headers = binary([(frame, struct.pack("<4d", *FLOWER))], parameters={"binary_data_output": True})
    answer = infer(body, headers=headers)
    length = int(answer.headers["Inference-Header-Content-Length"])
    predict, proba = json.loads(answer.data[:length])["outputs"]
    assert (predict["parameters"]["binary_data_size"], proba["parameters"]["binary_data_size"]) == (10, 24)
    raw = answer.data[length:]
    assert raw[:10] == struct.pack("<I", 6) + b"setosa"
    assert math.isclose(sum(struct.unpack("<3d", raw[10:])), 1, rel_tol=1e-6)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_body_is_unpacked(infer: Infer, encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    body = pack(json.dumps({"inputs": [matrix(FLOWER)]}).encode())
    assert outputs(infer(body, headers={"Content-Encoding": encoding}))["predict"]["data"] == ["setosa"]


def test_a_body_that_unpacks_beyond_the_limit_is_refused(infer: Infer) -> None:
    answer = infer(gzip.compress(b" " * 9_000_000), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert "8388608 bytes" in error(answer)


def test_a_packed_body_that_is_cut_or_unknown_is_refused(infer: Infer) -> None:
    cut = gzip.compress(b"{}")[:-4]
    assert infer(cut, headers={"Content-Encoding": "gzip"}).status_code == 400
    assert infer(b"{}", headers={"Content-Encoding": "br"}).status_code == 415


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_any_content_type_is_read(infer: Infer, kind: str | None) -> None:
    assert infer({"inputs": [matrix(FLOWER)]}, content_type=kind).status_code == 200


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"shape": [1, 3], "data": FLOWER[:3]}, "inputs.0.shape: must be [n, 4]"),
        ({"shape": [4]}, "must be [n, 4]"),
        ({"shape": [2, 4]}, "holds 4 values, and the shape [2, 4] has room for 8"),
        ({"shape": [-1, 4]}, "must be a list of whole numbers"),
        ({"shape": "4"}, "must be a list of whole numbers"),
        ({"datatype": "FP128"}, "must be one of BOOL"),
        ({"datatype": "INT64"}, "no INT64"),
        ({"datatype": "BYTES", "data": ["a"] * 4}, "row 0, sepal_length: Sepal length must be a number"),
        ({"data": ["5.1", 3.5, 1.4, 0.2]}, "no FP64"),
        ({"data": [True, 3.5, 1.4, 0.2]}, "no FP64"),
        ({"data": None}, "must be a list of values"),
        ({"data": [1e999, 3.5, 1.4, 0.2]}, "must be a finite number"),
        ({"data": [None, 3.5, 1.4, 0.2]}, "row 0, sepal_length: Sepal length is required"),
        ({"name": 5}, "inputs.0.name: must be a string"),
        ({"name": "sepal_length", "shape": [4]}, "row 0, sepal_width: Sepal width is required"),
        ({"name": "sepal_length", "shape": [2, 1, 2]}, "must be [n] or [n, 1]"),
        ({"parameters": {"binary_data_size": 32}}, "binary_data_size is not the size"),
    ],
)
def test_a_tensor_that_cannot_be_used_is_told_why(infer: Infer, changes: dict[str, Any], told: str) -> None:
    answer = infer({"inputs": [{**matrix(FLOWER), **changes}]})
    assert answer.status_code == 400, answer.text
    assert told in error(answer)


def test_whole_numbers_and_truths_may_come_as_floats(infer: Infer) -> None:
    def visit(**told: Any) -> dict[str, Any]:
        kinds = {"pages": "INT64", "returning": "BOOL"}
        row = {"pages": 3, "returning": True, **told}
        return {
            "inputs": [{"name": n, "shape": [1], "datatype": kinds[n], "data": [v]} for n, v in row.items()]
        }

    plain = outputs(infer(visit(), "purchase"))["predict_proba"]["data"]
    assert outputs(infer(visit(pages=3.0, returning=1.0), "purchase"))["predict_proba"]["data"] == plain
    assert "no INT64" in error(infer(visit(pages=3.5), "purchase"))
    assert "no BOOL" in error(infer(visit(returning=2.0), "purchase"))
    assert "no BOOL" in error(infer(visit(returning=math.nan), "purchase"))


def test_a_missing_column_is_named(infer: Infer) -> None:
    columns = [{"name": name, "shape": [1], "datatype": "FP64", "data": [1.0]} for name in NAMES[1:]]
    answer = infer({"inputs": columns})
    assert (answer.status_code, error(answer)[:20]) == (400, "row 0, sepal_length:")
    columns[0]["name"] = "sepal_lenght"
    assert "did you mean “sepal_length”" in error(infer({"inputs": columns}))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"inputs": []}', b'{"inputs": 1, "inputs": 2}', b"\xff"]
)
def test_a_body_that_is_no_request_is_refused(infer: Infer, body: bytes) -> None:
    assert infer(body).status_code == 400


def test_nothing_but_null_is_said_of_a_missing_value(infer: Infer) -> None:
    answer = infer(b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[NaN,3.5,1.4,0.2]}]}')
    assert (answer.status_code, "is required" in error(answer)) == (400, True)


def test_who_may_not_is_told_in_the_words_of_the_protocol(client: FlaskClient, token: Any) -> None:
    nobody = client.post("/v2/models/iris/infer", data=b"{}")
    assert (nobody.status_code, list(nobody.json)) == (401, ["error"])  # type: ignore[arg-type]
    carol = {"Authorization": f"Bearer {token('carol')}"}
    assert client.post("/v2/models/iris/infer", data=b"{}", headers=carol).status_code == 403
    absent = client.get("/v2/models/absent", headers=carol)
    assert (absent.status_code, list(absent.json)) == (404, ["error"])  # type: ignore[arg-type]
    nowhere = client.get("/v2/nowhere")
    assert (nowhere.status_code, list(nowhere.json)) == (404, ["error"])  # type: ignore[arg-type]
    assert client.get("/v2/models/iris/infer").status_code == 405


def test_probes_need_no_token(client: FlaskClient) -> None:
    assert client.get("/v2/health/live").json == {"live": True}
    assert client.get("/v2/health/ready").json == {"live": True, "ready": True}


def test_metadata_names_tensors(client: FlaskClient, token: Any) -> None:
    bearer = {"Authorization": f"Bearer {token('alice')}"}
    for path in ("/v2", "/v2/"):
        found = client.get(path, headers=bearer).json
        assert found["name"] == "parecer"  # type: ignore[index]
        assert "binary_tensor_data" in found["extensions"]  # type: ignore[index]
    assert "iris" in client.get("/v2/models", headers=bearer).json["models"]  # type: ignore[index]
    told = client.get("/v2/models/iris/versions/1", headers=bearer).json
    assert told["inputs"][0] == {"name": "sepal_length", "datatype": "FP64", "shape": [-1, 1]}  # type: ignore[index]
    assert told["outputs"][1] == {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 3]}  # type: ignore[index]
    assert client.get("/v2/models/iris/ready", headers=bearer).json == {"name": "iris", "ready": True}
    assert client.get("/v2/models/iris/versions/9/ready", headers=bearer).status_code == 404


def test_a_request_sent_again_is_answered_the_same(infer: Infer) -> None:
    first, again = (
        infer({"inputs": [matrix(FLOWER)]}, headers={"Idempotency-Key": "once"}) for _ in range(2)
    )
    said = "parameters", "outputs", "model_version"
    assert [first.json[w] for w in said] == [again.json[w] for w in said]  # type: ignore[index]
    assert again.headers["Idempotency-Replayed"] == "true"
    other = infer({"inputs": [matrix([5, 3, 1, 0.2])]}, headers={"Idempotency-Key": "once"})
    assert other.status_code == 422
