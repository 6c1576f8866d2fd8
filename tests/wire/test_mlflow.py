"""What MLflow's scoring server speaks, over the demo models: every form of a table, refusals, the record."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.hostile import BODIES
from tests.demo_desk import publish_demo
from webapp.services import tables

FLOWER = [5.1, 3.5, 1.4, 0.2]
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROW = dict(zip(NAMES, FLOWER, strict=True))
Invoke = Callable[..., TestResponse]


@pytest.fixture
def invoke(client: FlaskClient, token: Callable[[str], str]) -> Invoke:
    bearer = {"Authorization": f"Bearer {token('alice')}"}

    def invoke(body: Any, path: str = "/models/iris/invocations", **request: Any) -> TestResponse:
        headers = bearer | request.pop("headers", {})
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = request.pop("content_type", "application/json")
        return client.post(path, data=data, headers=headers, content_type=kind, **request)

    return invoke


def answered(answer: TestResponse) -> list[Any]:
    assert answer.status_code == 200, answer.text
    return list(answer.json["predictions"])  # type: ignore[index]


def refused(answer: TestResponse, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert list(answer.json) == ["error_code", "message"]  # type: ignore[arg-type]
    return str(answer.json["message"])  # type: ignore[index]


FORMS = {
    "split": {"dataframe_split": {"columns": NAMES[::-1], "index": [7, 8], "data": [FLOWER[::-1]] * 2}},
    "split without columns": {"dataframe_split": {"data": [FLOWER, FLOWER]}},
    "records": {"dataframe_records": [ROW, ROW]},
    "instances, lists": {"instances": [FLOWER, FLOWER]},
    "instances, objects": {"instances": [ROW, ROW]},
    "inputs, columns": {"inputs": {name: [value] * 2 for name, value in ROW.items()}},
    "inputs, narrow columns": {"inputs": {name: [[value]] * 2 for name, value in ROW.items()}},
    "inputs, lists": {"inputs": [FLOWER, FLOWER]},
    "inputs, objects": {"inputs": [ROW, ROW], "params": {"temperature": 1}},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_answered(invoke: Invoke, form: str) -> None:
    assert answered(invoke(FORMS[form])) == ["setosa", "setosa"]


def test_the_answer_leads_to_the_record(invoke: Invoke, api: Callable[[str], Any]) -> None:
    answer = invoke({"dataframe_records": [ROW], "params": {"subject": "p-1"}})
    told: Any = answer.json
    kept = api("alice")("GET", f"/predictions/{told['prediction_ids'][0]}")[1]
    assert (kept["channel"], kept["subject"], kept["inputs"]) == ("wire", "p-1", ROW)
    assert told["model_version"] == "1"
    assert told["probabilities"][0] == kept["probabilities"]


@pytest.mark.parametrize(
    "path", ["/invocations", "/models/iris/1/invocations", "/models/iris/live/invocations"]
)
def test_every_address_is_answered(invoke: Invoke, path: str) -> None:
    assert answered(invoke({"instances": [FLOWER]}, path)) == ["setosa"]


def test_a_number_is_answered_as_one(invoke: Invoke) -> None:
    row = [40, 1, 25.1, 90, 170, 99.5, 50, 4, 4.8, 90]
    [predicted] = answered(invoke({"instances": [row]}, "/models/diabetes/invocations"))
    assert type(predicted) is float


def test_columns_too_many_are_dropped_and_named(invoke: Invoke, api: Callable[[str], Any]) -> None:
    answer = invoke({"dataframe_records": [{**ROW, "row_id": 5}]})
    assert answered(answer) == ["setosa"]
    told: Any = answer.json
    assert told["ignored_columns"] == ["row_id"]
    assert api("alice")("GET", f"/predictions/{told['prediction_ids'][0]}")[1]["inputs"] == ROW


def test_nan_means_missing(invoke: Invoke) -> None:
    told = refused(invoke(b'{"dataframe_split": {"data": [[NaN, 3.5, 1.4, 0.2]]}}'))
    assert told == "row 0, sepal_length: Sepal length is required; give a number"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"instances": [FLOWER], "inputs": [FLOWER]}, "must have exactly one of dataframe_split"),
        ({"rows": [FLOWER]}, "must have exactly one of dataframe_split"),
        (
            {"dataframe_records": [dict.fromkeys(NAMES[1:], 1.0)]},
            "row 0, sepal_length: Sepal length is required",
        ),
        ({"dataframe_records": {"a": [1]}}, "the rows must be a list"),
        ({"dataframe_split": {"columns": NAMES}}, "must be an object with data"),
        ({"dataframe_split": {"data": [], "more": 1}}, "must be an object with data"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "none of them twice"),
        ({"dataframe_split": {"columns": NAMES, "data": [FLOWER[:3]]}}, "row 0: must be a list of 4 values"),
        ({"dataframe_split": {"columns": NAMES, "data": 5}}, "must be a list of lists"),
        ({"instances": FLOWER}, "row 0: must be a list of 4 values"),
        ({"inputs": {"sepal_length": [1.0], "sepal_width": [1.0, 2.0]}}, "must hold lists of one length"),
        ({"inputs": {"sepal_length": [1.0], "sepal_width": 2.0}}, "must hold lists of one length"),
        ({"instances": []}, "holds no rows"),
        ({"instances": [FLOWER], "params": {"subject": 5}}, "params.subject: must be a string"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_why(invoke: Invoke, body: Any, told: str) -> None:
    assert told in refused(invoke(body))


def test_csv_is_read_by_the_names_of_its_heading(invoke: Invoke) -> None:
    lines = [",".join([*NAMES[::-1], "note"]), "0.2,1.4,3.5,5.1,first", "0.2,1.4,3.5,5.1,"]
    answer = invoke("\n".join(lines).encode(), content_type="text/csv; charset=utf-8")
    assert answered(answer) == ["setosa", "setosa"]
    assert answer.json["ignored_columns"] == ["note"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("sepal_length\n5.1\n", "There is no column “sepal_width”"),
        (",".join(NAMES) + "\n5.1,3.5,wide,0.2\n", "row 0, petal_length: Petal length must be a number"),
        (",".join(NAMES) + "\n5.1,3.5,,0.2\n", "row 0, petal_length: Petal length is required"),
        (",".join(NAMES) + "\n5.1,3.5\n", "row 0: the heading has 4 fields, this row 2"),
        (",".join(NAMES) + "\n", "holds no rows"),
    ],
)
def test_csv_that_cannot_be_used_is_told_why(invoke: Invoke, text: str, told: str) -> None:
    assert told in refused(invoke(text.encode(), content_type="text/csv"))


def test_csv_of_too_many_rows_is_refused(app: Flask, invoke: Invoke) -> None:
    app.extensions["desk"].max_rows = 2
    text = ",".join(NAMES) + "\n5.1,3.5,1.4,0.2" * 3
    assert "may hold 2 rows" in refused(invoke(text.encode(), content_type="text/csv"), 413)


def test_the_texts_of_a_table_have_a_limit(
    app: Flask, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_demo(app, "sentiment")
    monkeypatch.setattr(tables, "MOST_CHARACTERS", 20)
    text = "text\n" + "a good film\n" * 2
    told = refused(invoke(text.encode(), "/models/sentiment/invocations", content_type="text/csv"), 413)
    assert "may have 20 characters" in told


PARQUET = "application/vnd.apache.parquet"


def test_parquet_is_read_by_the_names_of_its_columns(invoke: Invoke) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    held = io.BytesIO()
    pq.write_table(pa.table({**{n: [v, v] for n, v in reversed(ROW.items())}, "note": ["a", None]}), held)
    answer = invoke(held.getvalue(), content_type=PARQUET)
    assert answered(answer) == ["setosa", "setosa"]
    assert answer.json["ignored_columns"] == ["note"]  # type: ignore[index]
    cut = held.getvalue()[:-9]
    assert "damaged or no Parquet" in refused(invoke(cut, content_type=PARQUET))


def test_parquet_is_refused_where_it_cannot_be_read(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    assert "send CSV or JSON" in refused(invoke(b"PAR1", content_type=PARQUET), 415)


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=latin-1", "application/x-npy"])
def test_other_media_types_are_refused(invoke: Invoke, kind: str) -> None:
    assert "text/csv" in refused(invoke({"instances": [FLOWER]}, content_type=kind), 415)


def test_who_may_not_is_told_in_the_words_of_the_protocol(
    client: FlaskClient, token: Any, invoke: Invoke
) -> None:
    path = "/models/iris/invocations"
    nobody = client.post(path, json={"instances": [FLOWER]})
    assert (nobody.status_code, nobody.json["error_code"]) == (401, "UNAUTHENTICATED")  # type: ignore[index]
    carol = {"Authorization": f"Bearer {token('carol')}"}
    other = client.post(path, json={"instances": [FLOWER]}, headers=carol)
    assert (other.status_code, other.json["error_code"]) == (403, "PERMISSION_DENIED")  # type: ignore[index]
    for path in (
        "/models/absent/invocations",
        "/models/iris/9/invocations",
        "/models/iris/nobody/invocations",
    ):
        absent = invoke({"instances": [FLOWER]}, path)
        assert (absent.status_code, absent.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")  # type: ignore[index]
    assert client.get("/models/iris/invocations").status_code == 405


def test_probes_need_no_token(client: FlaskClient, token: Any) -> None:
    for path in ("/ping", "/health"):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (200, "\n")
    assert client.get("/version").status_code == 401
    bearer = {"Authorization": f"Bearer {token('carol')}"}
    assert client.get("/version", headers=bearer).mimetype == "text/plain"


def test_a_request_sent_again_is_answered_the_same(invoke: Invoke) -> None:
    once = {"Idempotency-Key": "once"}
    first, again = (invoke({"instances": [FLOWER]}, headers=once) for _ in range(2))
    assert first.json == again.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert invoke({"instances": [[5, 3, 1, 0.2]]}, headers=once).status_code == 422


@pytest.mark.parametrize("kind", ["application/json", "text/csv", PARQUET])
def test_no_hostile_body_is_our_fault(invoke: Invoke, kind: str) -> None:
    invoke({"instances": [FLOWER]})
    answers = {name: invoke(body, content_type=kind) for name, body in BODIES.items()}
    assert {name: a.text for name, a in answers.items() if a.status_code >= 500} == {}
