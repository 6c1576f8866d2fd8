"""Batches by program."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.conftest import ApiClient
from webapp.services.jobs.running import run

Api = Callable[[str], ApiClient]
ROWS = b"sepal_length,sepal_width,petal_length,petal_width,case\n5.1,3.5,1.4,0.2,a\n5.1,3.5,x,0.2,b\n"


def send(api: ApiClient, data: bytes = ROWS, **form: Any) -> tuple[int, Any]:
    fields = {"model": "iris", "file": (io.BytesIO(data), "rows.csv"), **form}
    given = {k: v for k, v in fields.items() if v is not None}
    return api("POST", "/jobs", data=given, content_type="multipart/form-data")


def work(app: Flask, job_id: str) -> None:
    run(app.extensions["desk"], job_id, "nobody", lambda: False)


def test_a_file_is_predicted_without_asking(app: Flask, api: Api) -> None:
    alice = api("alice")
    status, job = send(alice, subject="case")
    assert (status, job["state"], job["rows"]) == (202, "checking", 0)
    work(app, job["id"])
    _, done = alice("GET", f"/jobs/{job['id']}")
    assert (done["state"], done["rows_recorded"], done["rows_refused"]) == ("done", 1, 1)
    assert [(p["row"], p["line"], p["column"]) for p in done["problems"]["first"]] == [(2, 3, "petal_length")]
    [record] = alice("GET", f"/predictions?job={job['id']}")[1]["data"]
    assert (record["subject"], record["channel"], record["request_id"]) == ("a", "batch", job["id"])
    answer = alice.client.get(
        f"/api/v1/jobs/{job['id']}/result", headers={"Authorization": f"Bearer {alice.token}"}
    )
    assert answer.mimetype == "text/csv" and record["id"] in answer.text
    assert [j["id"] for j in alice("GET", "/jobs?limit=1")[1]["data"]] == [job["id"]]


def test_one_bad_row_may_refuse_all(app: Flask, api: Api) -> None:
    alice = api("alice")
    _, job = send(alice, on_error="all")
    work(app, job["id"])
    _, done = alice("GET", f"/jobs/{job['id']}")
    assert (done["state"], done["rows_recorded"]) == ("refused", 0) and done["details"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"file": None}, "#/file"),
        ({"model": None}, "#/model"),
        ({"on_error": "no"}, "#/on_error"),
        ({"delimeter": ","}, "#/delimeter"),
        ({"decimal": "x"}, "#/decimal"),
    ],
)
def test_what_is_wrong_is_pointed_to(api: Api, change: dict[str, Any], pointer: str) -> None:
    status, body = send(api("alice"), **change)
    assert (status, [e["pointer"] for e in body["errors"]]) == (422, [pointer])


def test_one_file_is_taken_and_no_other_in_its_place(app: Flask, api: Api) -> None:
    status, body = send(api("alice"), file=None, other=(io.BytesIO(b"x"), "x.csv"))
    assert (status, body["errors"][0]["pointer"]) == (422, "#/file")
    first = {"other": (io.BytesIO(b"x"), "x.csv"), "model": "iris", "file": (io.BytesIO(ROWS), "rows.csv")}
    status, body = api("alice")("POST", "/jobs", data=first, content_type="multipart/form-data")
    assert (status, body["errors"][0]["pointer"]) == (422, "#/file") and "one file" in body["errors"][0][
        "detail"
    ]
    assert list(app.extensions["desk"].workshop.incoming.iterdir()) == []


def test_an_auditor_sends_none(api: Api) -> None:
    carol = api("carol")
    assert send(carol)[0] == 403
    assert carol("GET", "/jobs")[0] == 200


def test_batches_of_others_do_not_exist(api: Api) -> None:
    _, job = send(api("alice"))
    bob = api("bob")
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/result")):
        assert bob(method, f"/jobs/{job['id']}{path}")[0] == 404
    assert bob("GET", "/jobs")[1]["data"] == []


def test_a_waiting_batch_can_be_cancelled(app: Flask, api: Api) -> None:
    alice = api("alice")
    _, job = send(alice)
    assert alice("POST", f"/jobs/{job['id']}/cancel")[1]["state"] == "cancelled"
    assert alice("POST", f"/jobs/{job['id']}/cancel")[0] == 409
    work(app, job["id"])
    assert alice("GET", f"/jobs/{job['id']}")[1]["rows"] == 0


def test_pages_follow_each_other(api: Api) -> None:
    alice = api("alice")
    ids = [send(alice)[1]["id"] for _ in range(3)][::-1]
    first = alice("GET", "/jobs?limit=2")[1]
    assert ([j["id"] for j in first["data"]], first["has_more"]) == (ids[:2], True)
    second = alice("GET", f"/jobs?limit=2&cursor={first['next_cursor']}")[1]
    assert ([j["id"] for j in second["data"]], second["has_more"]) == (ids[2:], False)
