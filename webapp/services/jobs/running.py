"""What a worker does with a job: check its file, then predict its rows, a chunk a transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson

from webapp.db.commits import Outrun
from webapp.errors import NotAllowed, NotFound, NotReady
from webapp.services import people, predictions
from webapp.services.desk import Desk
from webapp.services.jobs import reading
from webapp.services.jobs.checking import Refusal, check, plan_of
from webapp.services.jobs.files import OF_A_FILE, GoOn, How, Unreadable, blame
from webapp.services.jobs.results import Dialect, Part, lines
from webapp.services.jobs.rows import JobView, claim, end, forward, hold, let_go, move, read_one
from webapp.services.predictions import Ask, Made
from webapp.wording import said

#: Seconds that one chunk may take: until it is kept, nobody can stop it, and its lease runs.
CHUNK_SECONDS = 1.0
LEAST = 20
#: Between two looks whether the job is still ours to work on.
LOOK_SECONDS = 1.0


class Leaving(Exception):
    """The worker has been told to leave; the job is somebody else's from here."""


def run(desk: Desk, job_id: str, worker: str, leaving: Callable[[], bool]) -> JobView | None:
    """Do what there is to do for a job, until it is done, ends, or the worker has to leave.

    Returns the job as it then stands, None if there was nothing to do. What nobody expected is raised, after the
    job has been given back.
    """
    job = claim(job_id, worker)
    if job is None:
        return None

    try:
        _work(desk, job, _looking(job, leaving))
    except Leaving:
        let_go(job.id, job.attempt, tries=0)
        desk.workshop.queue.put(job.id)
    except Outrun:
        _outrun(job)
    except (Unreadable, NotAllowed, NotFound) as error:
        state = "refused" if isinstance(error, Unreadable) else "stopped"
        details = error.details if isinstance(error, Refusal) else [error.detail]
        end(job, state, details)
    except NotReady as error:
        let_go(job.id, job.attempt, [error.detail])  # sent again by whoever looks after jobs, in a while
        raise
    except BaseException:
        let_go(job.id, job.attempt)
        raise
    return read_one(job_id)


def _looking(job: JobView, leaving: Callable[[], bool]) -> GoOn:
    """What looks whether to go on: for the wish to leave at every call, into the database once a second."""
    due = time.monotonic() + LOOK_SECONDS

    def go_on() -> None:
        nonlocal due
        if leaving():
            raise Leaving
        if time.monotonic() > due:
            hold(job)
            due = time.monotonic() + LOOK_SECONDS

    return go_on


def _outrun(job: JobView) -> None:
    now = read_one(job.id)
    if now is not None and now.cancel and now.attempt == job.attempt and now.active:
        end(now, "cancelled")


def _work(desk: Desk, job: JobView, go_on: GoOn) -> None:
    actor = people.on_behalf(job.user_id)
    if job.state == "checking":
        findings = check(desk, actor, job, go_on)
        kept = {
            "findings": orjson.dumps(findings).decode(),
            "n_rows": findings["rows"],
            "bad_rows": findings["bad"],
        }
        if job.on_error == "ask":
            end(job, "checked", **kept)
            return
        if refusal := _refusal(job, findings):
            end(job, "refused", [refusal], **kept)
            return
        move(job, state="running", tries=0, started_us=time.time_ns() // 1000, **kept)
        fresh = read_one(job.id)
        if fresh is None:
            return
        job = fresh
    _predict(desk, job, go_on)
    end(job, "done")


def _refusal(job: JobView, findings: dict[str, Any]) -> str:
    if findings["bad"] == findings["rows"]:
        return said("None of the {n} rows can be predicted.", n=findings["rows"])
    if findings["bad"] and job.on_error == "all":
        return said(
            "{bad} of {n} rows cannot be predicted, and the batch was to have none.",
            bad=findings["bad"],
            n=findings["rows"],
        )
    return ""


def _predict(desk: Desk, job: JobView, go_on: GoOn) -> None:
    found = job.findings or {}
    how, names = How(**found["how"]), list(found["names"])
    chosen = desk.resolver.find(job.model, job.version, actor=people.on_behalf(job.user_id))
    plan = plan_of(desk, None, job, how, names)
    folder, done, refused = desk.workshop.job(job.id), job.rows_done, job.rows_refused
    part, dialect = Part(folder, job.attempt), Dialect.of(how)
    ask = Ask(job.model, (), "batch", job.id, 0, many=True, version=job.version)
    try:
        size = min(_size(chosen.predictor.cost), plan.most)
        for chunk in reading.chunks(folder / "upload", how, names, skip=done, size=size, go_on=go_on):
            go_on()
            actor = people.on_behalf(job.user_id)
            ask.started_ns = time.time_ns()
            rows = plan.sort(chunk)
            good = [(g.received, g.checked, g.subject) for g in rows.good]
            sheet, answers = predictions.draft(desk, actor, ask, good)
            try:
                written = lines(chunk, rows, answers, found["classes"], dialect)
            except OF_A_FILE as error:
                raise blame(error, done) from error
            part.write(written)
            done += len(chunk)
            refused += len(chunk) - sum(isinstance(a, Made) for a in answers)
            parts = orjson.dumps([*job.parts, (job.attempt, part.size)]).decode()
            moved = forward(job, rows_done=done, rows_refused=refused, parts=parts)
            predictions.keep(desk, actor, sheet, moved)
    finally:
        part.close()


def _size(cost: Callable[[int], float]) -> int:
    """Rows of a chunk, so that a slow model does not outstay its lease."""
    size = reading.CHUNK
    while size > LEAST and cost(size) > CHUNK_SECONDS:
        size //= 2
    return size
