"""Rows that nobody waits for, and batches that are sent again."""

from __future__ import annotations

import io
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.test_jobs import ROWS, work
from tests.conftest import ApiClient
from webapp.db import IdempotencyKey, Job
from webapp.db.base import session
from webapp.services import registry, users
from webapp.services.erasure.batches import clear

Api = Callable[[str], ApiClient]
Send = Callable[..., TestResponse]
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
LATER = {"Prefer": "respond-async"}


@pytest.fixture
def alice(api: Api) -> ApiClient:
    return api("alice")


@pytest.fixture
def ask(alice: ApiClient) -> Send:
    def send(body: dict[str, Any], headers: dict[str, str] = LATER, path: str = "models/iris/predict") -> Any:
        shown = {"Authorization": f"Bearer {alice.token}", **headers}
        return alice.client.post(f"/api/v1/{path}", json=body, headers=shown)

    return send


@pytest.fixture
def upload(alice: ApiClient) -> Send:
    def send(data: bytes = ROWS, key: str = "k-1", **form: Any) -> Any:
        fields = {"model": "iris", "file": (io.BytesIO(data), "rows.csv"), **form}
        shown = {"Authorization": f"Bearer {alice.token}", "Idempotency-Key": key}
        return alice.client.post("/api/v1/jobs", data=fields, headers=shown)

    return send


def records(alice: ApiClient, job: str) -> list[Any]:
    found: list[Any] = alice("GET", f"/predictions?job={job}")[1]["data"]
    return found


@pytest.mark.parametrize("path", ["models/iris/predict", "predict"])
def test_many_rows_become_a_batch(app: Flask, alice: ApiClient, ask: Send, path: str) -> None:
    app.extensions["desk"].max_rows = 2
    app.extensions["desk"].default_model = "iris"
    rows = [ROW, {**ROW, "petal_length": 1.5}, {**ROW, "petal_length": 1.6}]
    assert ask({"instances": rows}, {}, path).status_code == 413
    answer = ask({"instances": rows, "subject": "case 7"}, LATER, path)
    job = answer.json
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert "Prefer" in ",".join(answer.headers.getlist("Vary"))
    work(app, job["id"])
    done = alice("GET", f"/jobs/{job['id']}")[1]
    assert (done["state"], done["rows_recorded"], done["version"]) == ("done", 3, "1")
    kept = records(alice, job["id"])[::-1]
    assert [one["inputs"] for one in kept] == rows
    assert {one["subject"] for one in kept} == {"case 7"}


def test_a_preference_is_read_as_it_may_be_written(ask: Send) -> None:
    for prefer in ("Respond-Async, wait=5", 'x="a,b"; c, respond-async;q=1'):
        assert ask({"instances": [ROW]}, {"Prefer": prefer}).status_code == 202, prefer
    for prefer in ("", "wait=5", 'x="a, respond-async"', "respond-asynchronously"):
        answer = ask({"instances": [ROW]}, {"Prefer": prefer})
        assert (answer.status_code, "Preference-Applied" in answer.headers) == (200, False), prefer


def test_one_row_is_waited_for(ask: Send) -> None:
    answer = ask({"inputs": ROW})
    assert (answer.status_code, "Preference-Applied" in answer.headers) == (200, False)


def test_a_row_that_would_be_refused_is_refused(app: Flask, alice: ApiClient, ask: Send) -> None:
    rows = [ROW, {**ROW, "petal_widht": 1}, {**ROW, "subject": "x"}, {"a": 1}, [1], "x", None]
    body = {"instances": rows, "subject": "case 7", "on_error": "row"}
    waited_for = ask(body, {}).json["predictions"]
    assert [n for n, one in enumerate(waited_for, 1) if "errors" in one] == [2, 3, 4, 5, 6, 7]
    job = ask(body).json
    work(app, job["id"])
    done = alice("GET", f"/jobs/{job['id']}")[1]
    assert (done["state"], done["rows_recorded"], done["rows_refused"]) == ("done", 1, 6)
    assert {p["row"] for p in done["problems"]["first"]} == {2, 3, 4, 5, 6, 7}
    job = ask({"instances": rows[:2]}).json
    work(app, job["id"])
    assert alice("GET", f"/jobs/{job['id']}")[1]["state"] == "refused"
    assert records(alice, job["id"]) == []


def test_version_and_alias_say_who_answers(app: Flask, api: Api, ask: Send, packages: dict[str, Any]) -> None:
    registry.publish(app.extensions["desk"].store, packages["iris"][1], name="iris", title="")
    named = {"If-Match": "*"}
    assert api("paula")("PUT", "/models/iris/aliases/candidate", {"version": "2"}, headers=named)[0] == 200
    assert ask({"instances": [ROW], "alias": "candidate"}).json["version"] == "2"
    assert ask({"instances": [ROW], "version": "2"}).json["version"] == "2"
    assert ask({"instances": [ROW]}).json["version"] == "1"


def test_what_cannot_be_asked_is_said_at_once(ask: Send) -> None:
    for body, pointer in (
        ({"instances": []}, "#/instances"),
        ({"instances": {}}, "#/instances"),
        ({"instances": [ROW], "subject": " x"}, "#/subject"),
        ({"instances": [ROW], "on_error": "ask"}, "#/on_error"),
    ):
        answer = ask(body)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)
    assert session().query(Job).count() == 0


def test_a_disabled_account_sends_nothing(ask: Send) -> None:
    assert ask({"inputs": ROW}).status_code == 200  # so that the caller is known
    users.disable("alice", None)
    assert ask({"instances": [ROW]}).status_code == 401


def test_the_same_key_is_the_same_batch(ask: Send, alice: ApiClient, api: Api) -> None:
    body, key = {"instances": [ROW, ROW]}, {**LATER, "Idempotency-Key": "k-1"}
    first, again = ask(body, key), ask(body, key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json["id"] == again.json["id"] and len(alice("GET", "/jobs")[1]["data"]) == 1
    others = [ask({"instances": [ROW]}, key), ask(body, {"Idempotency-Key": "k-1"})]
    assert [(o.status_code, o.json["type"].partition("#")[2]) for o in others] == [(422, "key-reused")] * 2
    bob = api("bob")("POST", "/models/iris/predict", body, headers=key)
    assert bob[0] == 202 and bob[1]["id"] != first.json["id"]


def test_a_file_sent_again_is_the_same_batch(app: Flask, alice: ApiClient, upload: Send) -> None:
    first, again = upload(), upload(key='"k-1"')
    assert first.json["id"] == again.json["id"] and again.status_code == 202
    assert [a.headers.get("Idempotency-Replayed") for a in (first, again)] == [None, "true"]
    assert again.headers["Location"] == first.headers["Location"]
    for other in (upload(ROWS + b"\n"), upload(on_error="all")):
        assert (other.status_code, other.json["type"]) == (422, "/api/v1/docs/errors#key-reused")
    assert upload(key="a b").status_code == 422
    assert session().query(Job).count() == 1
    work(app, first.json["id"])
    assert upload().json["state"] == "done"
    workshop = app.extensions["desk"].workshop
    assert [p.name for p in workshop.folder.glob("job_*")] == [first.json["id"]]
    assert list(workshop.incoming.iterdir()) == []


def test_of_those_at_once_one_becomes_a_batch(
    app: Flask, upload: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Barrier(4)

    def find(*_: Any, real: Any = app.extensions["desk"].resolver.find, **named: Any) -> Any:
        together.wait(10)  # nobody has found the key by now
        return real(*_, **named)

    monkeypatch.setattr(app.extensions["desk"].resolver, "find", find)
    answers: list[TestResponse] = []
    threads = [Thread(target=lambda: answers.append(upload())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status_code for a in answers] == [202] * 4
    assert len({a.json["id"] for a in answers if a.json}) == 1 == session().query(Job).count()
    assert sum("Idempotency-Replayed" in a.headers for a in answers) == 3


def test_an_erased_batch_leaves_no_hash_behind(app: Flask, upload: Send) -> None:
    job = upload().json["id"]
    work(app, job)
    clear(app.extensions["desk"], [job], [])
    assert session().query(IdempotencyKey).one().fingerprint == ""
    assert upload().status_code == 409
