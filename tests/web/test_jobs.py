"""Batches on pages."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.web.conftest import Browser
from webapp.services import jobs
from webapp.services.jobs.running import run
from webapp.services.people import Actor

Open = Callable[[str], Browser]
ROWS = "sepal_length,sepal_width,petal_length,petal_width,case\n5.1,3.5,1.4,0.2,a\n5.1,3.5,x,0.2,b\n"


def send(browser: Browser, data: bytes | str = ROWS, name: str = "rows.csv", **form: Any) -> TestResponse:
    content = data if isinstance(data, bytes) else data.encode()
    return browser.post("/jobs/new", {"model": "iris", "file": (io.BytesIO(content), name), **form})


def sent(browser: Browser, **form: Any) -> str:
    answer = send(browser, **form)
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def work(app: Flask, address: str) -> None:
    run(app.extensions["desk"], address.rpartition("/")[2], "nobody", lambda: False)


def test_a_batch_from_page_to_page(app: Flask, browser: Open) -> None:
    alice = browser("alice")
    address = sent(alice, subject="case")
    assert "data-active" in alice.get(address).text and "http-equiv" in alice.get(address).text
    work(app, address)
    page = alice.get(address).text
    assert "Predict 1 row" in page and "petal_length" in page and "data-active" not in page
    alice.post(f"{address}/confirm", {}, page=address)
    work(app, address)
    page = alice.get(address).text
    assert "Download the result" in page
    answer = alice.get(f"{address}/result.csv")
    assert answer.text.splitlines()[1].startswith("5.1,3.5,1.4,0.2,a,1,")
    assert answer.content_length == len(answer.data)
    [link] = re.findall(r'href="(/predictions\?job=[^"]+)"', page)
    ledger = alice.get(link).text
    assert "<b>1</b> record" in ledger and "batch" in ledger
    assert "rows.csv" in alice.get("/jobs").text
    assert "No worker is running" not in page


def test_a_page_says_when_nobody_works(browser: Open) -> None:
    alice = browser("alice")
    assert "No worker is running" in alice.get(sent(alice)).text


def test_the_problems_can_be_taken_away(app: Flask, browser: Open) -> None:
    alice = browser("alice")
    address = sent(alice)
    work(app, address)
    lines = alice.get(f"{address}/problems.csv").text.splitlines()
    assert lines[0] == "row,line,column,problem" and lines[1].startswith("2,3,petal_length,")


@pytest.mark.parametrize("act", ["confirm", "cancel", "delete", "read"])
def test_an_auditor_reads_and_changes_nothing(app: Flask, browser: Open, act: str) -> None:
    address = sent(browser("alice"))
    work(app, address)
    carol = browser("carol")
    assert carol.get(address).status_code == 200
    assert browser("bob").get(address).status_code == 404
    assert carol.post(f"{address}/{act}", {}, page="/").status_code == 403


def test_no_file_is_explained(browser: Open) -> None:
    alice = browser("alice")
    answer = alice.post("/jobs/new", {"model": "iris"})
    assert answer.status_code == 422 and "choose a file" in answer.text
    answer = send(alice, model="none")
    assert answer.status_code == 404 and "There is no model" in answer.text


def test_an_upload_leaves_no_file_behind_that_became_no_batch(app: Flask, browser: Open) -> None:
    incoming = app.extensions["desk"].workshop.incoming
    alice = browser("alice")
    send(alice, model="none")
    alice.client.post("/jobs/new", data={"csrf_token": "wrong", "file": (io.BytesIO(b"x" * 99), "x.csv")})
    assert list(incoming.iterdir()) == []


@pytest.mark.parametrize("full", ["at once", "while it grows", "at the end"])
def test_a_full_disk_is_told_and_nothing_stays(
    app: Flask, browser: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, full: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    alice, part = browser("alice"), tmp_path / "part"
    if full == "while it grows":
        part.touch()
        taken = os.open("/dev/full", os.O_RDWR)
        monkeypatch.setattr("webapp.doors.uploads.tempfile.mkstemp", lambda **_: (taken, str(part)))
    else:
        at = (
            "webapp.doors.uploads.tempfile.mkstemp"
            if full == "at once"
            else "webapp.services.jobs.intake._sync"
        )
        monkeypatch.setattr(at, fail)
    answer = send(alice)
    assert answer.status_code == 503 and "takes no more" in answer.text and answer.headers["Retry-After"]
    assert not part.exists()
    kept = app.extensions["desk"].workshop.incoming.parent
    assert [path for path in kept.rglob("*") if path.is_file() and path.parent.name != "workers"] == []


def test_what_is_too_large_is_said_so(app: Flask, browser: Open, actor: Callable[[str], Actor]) -> None:
    alice = browser("alice")
    app.config["MAX_UPLOAD_BYTES"] = 1000
    answer = send(alice, "x" * 200_000)
    assert answer.status_code == 413 and "MAX_UPLOAD_BYTES" in answer.text
    assert jobs.search(actor("alice"), limit=1, key="k").rows == []


def test_a_file_may_be_larger_than_other_bodies(app: Flask, browser: Open) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 100_000
    sent(browser("alice"), data="a,b\n" + "1,2\n" * 50_000)
    carol = browser("carol")  # may not, and so gets no more room than for any form
    answer = carol.post("/jobs/new", {"file": (io.BytesIO(b"x" * 200_000), "x.csv")}, page="/")
    assert answer.status_code == 413


def test_a_name_is_no_path(app: Flask, browser: Open) -> None:
    alice = browser("alice")
    page = alice.get(sent(alice, name="../../etc/<b>.csv")).text
    assert "&lt;b&gt;.csv" in page and "../" not in page
