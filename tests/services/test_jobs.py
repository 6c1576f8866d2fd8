"""Batches, from the upload to the result."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from webapp.db import Job, Prediction
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, KeyReused, ModelFailed, NotAllowed, NotFound, TooMany
from webapp.services import jobs, model_access, users
from webapp.services.jobs.presence import Presence
from webapp.services.jobs.reaping import reap
from webapp.services.jobs.rows import MOST_TRIES, JobView, claim, let_go, move, read_one
from webapp.services.jobs.running import run
from webapp.services.people import Actor
from webapp.services.quota import Quota

HEADING = "sepal_length,sepal_width,petal_length,petal_width"
ROW = "5.1,3.5,1.4,0.2"

Add = Callable[..., JobView]
Actors = Callable[[str], Actor]


@pytest.fixture
def add(app: Flask, actor: Actors, tmp_path: Path) -> Add:
    """add("a,b\\n1,2\\n"): the file is uploaded for iris by alice, and checked."""

    def make(
        data: str | bytes,
        name: str = "rows.csv",
        *,
        by: str = "alice",
        model: str = "iris",
        on_error: str = "ask",
        check: bool = True,
        **options: str,
    ) -> JobView:
        path = tmp_path / "upload"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        upload = jobs.Upload(path, name, model, options=options, on_error=on_error)
        job = jobs.add(app.extensions["desk"], actor(by), upload)
        return work(app, job.id) if check else job

    return make


def work(app: Flask, job_id: str) -> JobView:
    job = run(app.extensions["desk"], job_id, "nobody", lambda: False)
    assert job is not None
    return job


def result(app: Flask, who: Actor, job: JobView) -> list[dict[str, str]]:
    made = jobs.result(app.extensions["desk"], who, job.id)
    data = b"".join(made.data)
    assert len(data) == made.size
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def records(job: JobView) -> list[Prediction]:
    session().rollback()
    found = select(Prediction).where(Prediction.request_id == job.id).order_by(Prediction.seq)
    return list(session().scalars(found))


def predicted(app: Flask, who: Actor, job: JobView) -> JobView:
    assert job.state == "checked", job.details
    jobs.confirm(app.extensions["desk"], who, job.id)
    return work(app, job.id)


def test_a_file_becomes_records_and_a_result(app: Flask, add: Add, actor: Actors) -> None:
    job = add(f"{HEADING},case\n{ROW},a 1\n6.7,3.0,5.2,2.3,=b\n", subject="case")
    assert (job.n_rows, job.bad_rows) == (2, 0)
    done = predicted(app, actor("alice"), job)
    assert (done.state, done.rows_done, done.recorded) == ("done", 2, 2)
    rows, kept = result(app, actor("alice"), done), records(done)
    assert [r["record"] for r in rows] == [k.id for k in kept]
    assert [r["label"] for r in rows] == [k.label for k in kept] == ["setosa", "virginica"]
    assert [k.subject for k in kept] == ["a 1", "=b"] and {k.channel for k in kept} == {"batch"}
    assert [r["case"] for r in rows] == ["a 1", "'=b"]
    assert float(rows[0]["p(setosa)"]) > 0.9 and rows[0]["sepal_length"] == "5.1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_result_is_written_as_its_file_was(app: Flask, add: Add, actor: Actors, encoding: str) -> None:
    text = f"{HEADING};caso\n{ROW};ação\n".replace(",", ";").replace(".", ",")
    how = {"encoding": encoding} if encoding == "cp1252" else {}
    job = predicted(app, actor("alice"), add(text.encode(encoding), **how))
    data = b"".join(jobs.result(app.extensions["desk"], actor("alice"), job.id).data)
    assert data.startswith(b"\xef\xbb\xbf") == (encoding != "utf-8")
    [row] = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";")
    assert (row["sepal_length"], row["caso"], row["row"]) == ("5,1", "ação", "1")
    shares = [row[f"p({label})"] for label in ("setosa", "versicolor", "virginica")]
    assert not any("." in share for share in shares)
    assert sum(float(share.replace(",", ".")) for share in shares) == pytest.approx(1)


def test_bad_rows_are_named_and_skipped(app: Flask, add: Add, actor: Actors) -> None:
    job = add(f"{HEADING}\n{ROW}\n5.1,3.5,long,0.2\n5.1,3.5\n{ROW}\n")
    assert (job.n_rows, job.bad_rows) == (4, 2)
    assert job.findings is not None
    assert [p[:3] for p in job.findings["first"]] == [[2, 3, "petal_length"], [3, 4, ""]]
    done = predicted(app, actor("alice"), job)
    assert (done.rows_done, done.rows_refused, len(records(done))) == (4, 2, 2)
    rows = result(app, actor("alice"), done)
    assert [bool(r["error"]) for r in rows] == [False, True, True, False]
    assert "petal_length" in rows[1]["error"] and rows[1]["record"] == ""
    listed = b"".join(jobs.problems(app.extensions["desk"], actor("alice"), job.id).data).decode()
    assert listed.count("\n") == 3


def test_a_batch_that_must_be_whole_is_refused(add: Add) -> None:
    job = add(f"{HEADING}\n{ROW}\n5.1,3.5,long,0.2\n", on_error="all")
    assert job.state == "refused" and "1 of 2" in job.details[0]


def test_a_batch_that_need_not_ask_runs_at_once(app: Flask, add: Add) -> None:
    job = add(f"{HEADING}\n{ROW}\n5.1,3.5,long,0.2\n", on_error="row")
    assert (job.state, job.recorded, job.rows_refused) == ("done", 1, 1)


def test_others_see_no_batch_but_auditors(app: Flask, add: Add, actor: Actors) -> None:
    job, desk = add(f"{HEADING}\n{ROW}\n"), app.extensions["desk"]
    with pytest.raises(NotFound):
        jobs.get(actor("bob"), job.id)
    assert jobs.get(actor("carol"), job.id).id == job.id
    assert jobs.search(actor("bob"), limit=5, key="k").rows == []
    for change in (jobs.confirm, jobs.cancel, jobs.remove):
        with pytest.raises(NotAllowed):
            change(desk, actor("carol"), job.id)
    with pytest.raises(NotAllowed):
        add("x", by="carol")


def test_a_cancelled_batch_keeps_what_was_predicted(
    app: Flask, add: Add, actor: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.services.jobs.reading.CHUNK", 5)
    job, desk, alice = add(HEADING + f"\n{ROW}" * 12), app.extensions["desk"], actor("alice")
    jobs.confirm(desk, alice, job.id)
    looks: list[int] = []

    def look() -> bool:
        looks.append(1)
        if len(looks) == 2:
            monkeypatch.setattr("webapp.services.jobs.presence.alive", lambda *_: True)
            jobs.cancel(desk, alice, job.id)
        return False

    done = run(desk, job.id, "nobody", look)
    assert done is not None and done.state == "cancelled"
    assert done.rows_done == len(records(done)) == len(result(app, alice, done)) == 5


@pytest.fixture
def cancelling(app: Flask, actor: Actors, monkeypatch: pytest.MonkeyPatch) -> Callable[[JobView], JobView]:
    """cancelling(job): work at a job that alice cancels at the first look."""
    monkeypatch.setattr("webapp.services.jobs.presence.alive", lambda *_: True)

    def work(job: JobView) -> JobView:
        looks: list[int] = []

        def look() -> bool:
            looks.append(1)
            if len(looks) == 1:
                jobs.cancel(app.extensions["desk"], actor("alice"), job.id)
            return False

        found = run(app.extensions["desk"], job.id, "nobody", look)
        assert found is not None
        return found

    return work


Cancelling = Callable[[JobView], JobView]


@pytest.mark.parametrize("seconds", [0, 100])
def test_a_batch_that_is_cancelled_in_its_check_waits_for_nobody(
    add: Add, cancelling: Cancelling, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    monkeypatch.setattr("webapp.services.jobs.running.LOOK_SECONDS", seconds)
    ended = cancelling(add(f"{HEADING}\n{ROW}\n", check=False))
    assert ended.state == "cancelled" and ended.finished_us and not ended.details
    assert (ended.findings is None) == (seconds == 0)  # what was at its end already has been found


def test_a_cancel_that_came_too_late_is_forgotten(
    app: Flask, add: Add, actor: Actors, cancelling: Cancelling
) -> None:
    refused = cancelling(add(f"{HEADING}\n{ROW}\n5\n", check=False, on_error="all"))
    assert (refused.state, refused.cancel) == ("refused", True)
    again = jobs.read_again(app.extensions["desk"], actor("alice"), refused.id, {})
    assert not again.cancel


def test_a_cancelled_batch_that_lost_its_worker_is_not_taken_up(
    app: Flask, add: Add, actor: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.services.jobs.presence.alive", lambda *_: True)
    job = claim(add(f"{HEADING}\n{ROW}\n", check=False).id, "nobody")
    assert job is not None
    jobs.cancel(app.extensions["desk"], actor("alice"), job.id)
    let_go(job.id, job.attempt)
    assert claim(job.id, "another") is None
    now = read_one(job.id)
    assert now is not None and now.state == "cancelled" and now.finished_us


def test_a_lease_is_renewed_while_nothing_can_be_told(
    app: Flask, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.services.jobs.running.LOOK_SECONDS", 0)
    monkeypatch.setattr("webapp.services.jobs.reading.CHUNK", 1)
    job = add(f"{HEADING}\n{ROW}\n", on_error="row", check=False)
    leases: list[int] = []

    def look() -> bool:
        with transaction() as s:
            leases.append(s.scalar(select(Job.lease_us).where(Job.id == job.id)))
            s.execute(update(Job).where(Job.id == job.id).values(lease_us=1))
        return False

    done = run(app.extensions["desk"], job.id, "nobody", look)
    assert done is not None and done.state == "done" and len(leases) > 1 and min(leases) > 1


def test_a_check_that_comes_far_each_time_is_given_up_all_the_same(add: Add) -> None:
    job = add(f"{HEADING}\n{ROW}\n", check=False)
    for _ in range(MOST_TRIES):
        now = claim(job.id, "nobody")
        assert now is not None
        move(now, n_rows=1)
        let_go(job.id, now.attempt)
    assert claim(job.id, "nobody") is None


@pytest.mark.parametrize("error", [OverflowError("far"), RecursionError(), KeyError("x"), MemoryError()])
def test_what_a_file_brings_about_is_tried_once(
    app: Flask, add: Add, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr("webapp.services.jobs.columns.Plan.sort", fail)
    job = add(f"{HEADING}\n{ROW}\n")
    assert (job.state, job.attempt) == ("refused", 1) and "row 0" in job.details[0]


def test_nul_does_not_get_into_a_result(app: Flask, add: Add, actor: Actors) -> None:
    row = ", ".join(
        f'"{name}": {cell}' for name, cell in zip(HEADING.split(","), ROW.split(","), strict=True)
    )
    nul, deep = '"a\\u0000": "b\\u0000"', '"c": ' + "[" * 15 + "]" * 15
    done = add(f"{{{row}, {nul}, {deep}}}\n{{{nul}}}\n", "rows.jsonl", on_error="row")
    [good, bad] = result(app, actor("alice"), done)
    assert (good["a\ufffd"], good["c"]) == ("b\ufffd", "[" * 15 + "]" * 15) and bad["error"]


def test_uploads_that_nobody_sends_any_more_are_swept(app: Flask) -> None:
    incoming = app.extensions["desk"].workshop.incoming
    incoming.mkdir(parents=True, exist_ok=True)
    for name, age in (("fresh", 3_000), ("stale", 4_000)):
        (incoming / name).touch()
        os.utime(incoming / name, (time.time() - age,) * 2)
    reap(app.extensions["desk"])
    assert [path.name for path in incoming.iterdir()] == ["fresh"]


def test_a_batch_stops_when_its_owner_is_disabled(app: Flask, add: Add, actor: Actors) -> None:
    job = add(f"{HEADING}\n{ROW}\n", by="bob")
    jobs.confirm(app.extensions["desk"], actor("bob"), job.id)
    users.reset_password("bob", None)
    users.disable("bob", None)
    done = work(app, job.id)
    assert done.state == "stopped" and "disabled" in done.details[0] and records(done) == []


def test_a_new_password_does_not_stop_a_batch(app: Flask, add: Add, actor: Actors) -> None:
    job = add(f"{HEADING}\n{ROW}\n", by="bob")
    jobs.confirm(app.extensions["desk"], actor("bob"), job.id)
    users.reset_password("bob", None)
    assert work(app, job.id).state == "done"


def test_a_batch_goes_on_where_it_was_left(
    app: Flask, add: Add, actor: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.services.jobs.reading.CHUNK", 5)
    job, desk, alice = add(HEADING + f"\n{ROW}" * 12), app.extensions["desk"], actor("alice")
    jobs.confirm(desk, alice, job.id)
    looks: list[int] = []
    left = run(desk, job.id, "nobody", lambda: looks.append(1) or len(looks) > 1)  # type: ignore[func-returns-value]
    assert left is not None and (left.state, left.rows_done, left.held) == ("running", 5, False)
    with (desk.workshop.job(job.id) / f"result-{left.attempt}.csv").open("ab") as part:
        part.write(b"half a li")
    done = work(app, job.id)
    assert (done.state, done.rows_done) == ("done", 12)
    rows = result(app, alice, done)
    assert [r["record"] for r in rows] == [k.id for k in records(done)]
    assert [r["row"] for r in rows] == [str(n) for n in range(1, 13)]


def test_an_attempt_that_was_overtaken_keeps_nothing(app: Flask, add: Add, actor: Actors) -> None:
    job, desk, alice = add(HEADING + f"\n{ROW}" * 3), app.extensions["desk"], actor("alice")
    jobs.confirm(desk, alice, job.id)

    def overtake() -> bool:
        now = read_one(job.id)
        assert now is not None
        let_go(job.id, now.attempt)
        assert claim(job.id, "quick") is not None
        return False

    late = run(desk, job.id, "slow", overtake)
    assert late is not None and (late.state, late.rows_done, records(job)) == ("running", 0, [])
    let_go(job.id, late.attempt)
    done = work(app, job.id)
    assert done.state == "done" and len(records(job)) == len(result(app, alice, done)) == 3


def test_files_can_be_deleted_and_records_stay(app: Flask, add: Add, actor: Actors) -> None:
    job, desk, alice = add(f"{HEADING}\n{ROW}\n", on_error="row"), app.extensions["desk"], actor("alice")
    jobs.remove(desk, alice, job.id)
    assert not desk.workshop.job(job.id).exists()
    assert len(records(job)) == 1
    with pytest.raises(NotFound):
        jobs.result(desk, alice, job.id)
    with pytest.raises(Conflict):
        jobs.read_again(desk, alice, job.id, {})


def test_a_file_can_be_read_in_another_way(app: Flask, add: Add, actor: Actors) -> None:
    desk, alice = app.extensions["desk"], actor("alice")
    job = add(f"{HEADING}\n{ROW}\n".replace(",", "\t"), delimiter=",")
    assert job.state == "refused" and "sepal_length" in job.details[0]
    jobs.read_again(desk, alice, job.id, {"delimiter": "\t"})
    assert work(app, job.id).state == "checked"
    with pytest.raises(InvalidInput):
        jobs.read_again(desk, alice, job.id, {"delimiter": "x"})


def test_jobs_of_the_dead_are_sent_again(app: Flask, add: Add) -> None:
    desk = app.extensions["desk"]
    job = add(f"{HEADING}\n{ROW}\n", check=False)
    sent: list[str] = []
    assert desk.workshop.queue.serve(sent.append)
    assert claim(job.id, "nobody that lives") is not None
    assert claim(job.id, "another") is None
    reap(desk)
    assert desk.workshop.queue.serve(sent.append) and sent == [job.id] * 2
    assert work(app, job.id).state == "checked"


def test_jobs_of_the_living_are_left_alone(app: Flask, add: Add) -> None:
    desk = app.extensions["desk"]
    job, worker = add(f"{HEADING}\n{ROW}\n", check=False), Presence(desk.workshop.workers)
    assert claim(job.id, worker.id) is not None and jobs.worked_on(desk)
    reap(desk)
    now = read_one(job.id)
    assert now is not None and now.held
    worker.end()
    assert not jobs.worked_on(desk)


def test_a_batch_that_fells_its_workers_is_given_up(app: Flask, add: Add) -> None:
    job = add(f"{HEADING}\n{ROW}\n", check=False)
    for _ in range(MOST_TRIES):
        now = claim(job.id, "nobody")
        assert now is not None
        let_go(job.id, now.attempt)
    assert claim(job.id, "nobody") is None
    end = read_one(job.id)
    assert end is not None and end.state == "failed" and "log" in end.details[0]


def test_a_batch_counts_once_towards_the_rate_limit(app: Flask, add: Add, actor: Actors) -> None:
    desk = app.extensions["desk"]
    desk.quota = Quota(2)
    job = add(f"{HEADING}" + f"\n{ROW}" * 10, on_error="row")
    assert job.recorded == 10
    add(f"{HEADING}\n{ROW}\n", check=False)
    with pytest.raises(TooMany):
        add(f"{HEADING}\n{ROW}\n", check=False)


def test_a_row_the_model_fails_on_is_refused_alone(
    app: Flask, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add(f"{HEADING}\n{ROW}\n6.6,3.5,1.4,0.2\n{ROW}\n", check=False, on_error="row")
    found = app.extensions["desk"].resolver.find("iris", actor=None).predictor
    predict = type(found).predict

    def fail(self: Any, rows: Any) -> Any:
        if any(row[0] == 6.6 for row in rows):
            raise ModelFailed("The model has no answer to these values.")
        return predict(self, rows)

    monkeypatch.setattr(type(found), "predict", fail)
    done = work(app, job.id)
    assert (done.state, done.recorded, done.rows_refused) == ("done", 2, 1)


def test_a_model_closed_to_its_owner_stops_a_batch(app: Flask, add: Add, actor: Actors) -> None:
    job = add(f"{HEADING}\n{ROW}\n")
    jobs.confirm(app.extensions["desk"], actor("alice"), job.id)
    model_access.change("iris", restricted=True, people=["bob"], actor=None)
    assert work(app, job.id).state == "stopped"


def test_a_key_that_another_request_takes_meanwhile_leads_to_its_batch(
    app: Flask, actor: Actors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(fingerprint: str) -> tuple[JobView, bool]:
        path = tmp_path / "upload"
        path.write_text(f"{HEADING}\n{ROW}\n")
        key = jobs.Key("k", fingerprint)
        return jobs.add_once(
            app.extensions["desk"], actor("alice"), jobs.Upload(path, "a.csv", "iris", key=key)
        )

    first, replayed = send("same")
    monkeypatch.setattr(jobs, "earlier", lambda *_: None)  # asked a moment too early
    again, replayed_again = send("same")
    assert (again.id, replayed, replayed_again) == (first.id, False, True)
    with pytest.raises(KeyReused):
        send("other")
    assert [p.name for p in app.extensions["desk"].workshop.folder.glob("job_*")] == [first.id]
