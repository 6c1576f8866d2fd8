"""Batches: a file of rows, checked, confirmed by its owner, and predicted by a worker, every row on the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.db import Hold, Job, Prediction
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound, Problem, TooLarge, printable
from webapp.services.clock import new_id, now_us
from webapp.services.desk import Desk
from webapp.services.jobs import presence
from webapp.services.jobs.files import How
from webapp.services.jobs.intake import LONGEST_NAME, file_name, not_kept, take_in
from webapp.services.jobs.once import Key, Taken, earlier, remember
from webapp.services.jobs.reaping import discard
from webapp.services.jobs.results import Dialect, head, stream
from webapp.services.jobs.rows import JobView, read
from webapp.services.jobs.sniffing import CHOICES
from webapp.services.paging import Cursors, Page
from webapp.services.people import Actor
from webapp.services.predictions import MAY_PREDICT
from webapp.wording import said

__all__ = [
    "JobView",
    "Key",
    "Result",
    "Upload",
    "add",
    "add_once",
    "cancel",
    "confirm",
    "get",
    "not_kept",
    "problems",
    "read_again",
    "remove",
    "result",
    "search",
    "too_large",
    "worked_on",
]

ON_ERROR = ("ask", "row", "all")
#: Among the options of a batch: what becomes of values in columns that are no features.
STRICT = {"unknown": "refuse"}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has arrived, and what its sender says of it; `path` becomes the job's."""

    path: Path
    name: str
    model: str
    version: str | None = None
    #: subject (a column), delimiter, encoding, decimal; empty where it is to be found out.
    options: Mapping[str, str] | None = None
    on_error: str = "ask"
    #: Which version answers, instead of `version`.
    alias: str | None = None
    #: Whether a row is bad that has a value in a column which is no feature, instead of it being carried along.
    strict: bool = False
    #: With which it may be sent again.
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A file to be sent: `size` bytes."""

    size: int
    data: Iterator[bytes]


def add(desk: Desk, actor: Actor, upload: Upload) -> JobView:
    """Take a file in and let a worker check it; the version that is live now will answer, or the one named.

    Raises NotAllowed, TooMany, NotFound, NotReady, TooLarge and InvalidInput (`#/file` and the names of options).
    """
    return add_once(desk, actor, upload)[0]


def add_once(desk: Desk, actor: Actor, upload: Upload) -> tuple[JobView, bool]:
    """The same, once for each key: also whether the batch had been there; raises KeyReused, Conflict too."""
    if actor.role not in MAY_PREDICT:
        raise NotAllowed(said("The role {role} reads the record and does not predict.", role=actor.role))
    desk.quota.spend(actor.id)
    options = _options(upload.options or {}) | (STRICT if upload.strict else {})
    if upload.on_error not in ON_ERROR:
        raise InvalidInput([Problem("#/on_error", said('must be "row" or "all"'))])
    size = upload.path.stat().st_size
    if size > desk.workshop.max_bytes:
        raise too_large(desk)
    if upload.key and (before := earlier(actor.id, upload.key)):
        return get(actor, before), True
    chosen = desk.resolver.find(upload.model, upload.version, upload.alias, actor=actor)
    job_id = new_id("job")
    take_in(desk, desk.workshop.job(job_id), {upload.path: "upload"})
    now = now_us()
    try:
        with transaction() as s:
            s.add(
                Job(
                    id=job_id,
                    user_id=actor.id,
                    model_id=chosen.model_id,
                    version_id=chosen.version_id,
                    state="checking",
                    file_name=file_name(upload.name),
                    file_bytes=size,
                    options=orjson.dumps(options).decode(),
                    on_error=upload.on_error,
                    created_us=now,
                    moved_us=now,
                )
            )
            if upload.key:
                remember(s, actor.id, upload.key, job_id, now)
    except Taken as first:
        discard(desk.workshop.job(job_id))
        return get(actor, first.job_id), True
    except BaseException:
        discard(desk.workshop.job(job_id))
        raise
    _send(desk, job_id)
    return get(actor, job_id), False


def too_large(desk: Desk) -> TooLarge:
    """What is said of a file that is larger than it may be."""
    most = desk.workshop.max_bytes / 2**20
    return TooLarge(
        said(
            "A file may have {most} MB; split it, or ask the operator to raise MAX_UPLOAD_BYTES.",
            most=f"{most:g}",
        )
    )


def search(actor: Actor, *, limit: int, key: str, cursor: str | None = None) -> Page[JobView]:
    """Batches that `actor` may see, newest first, from `cursor` (signed with `key`) on; raises Malformed."""
    cursors = Cursors(key, actor, "jobs")
    turn = cursors.open(cursor)
    conditions: list[Any] = [] if actor.sees_all else [Job.user_id == actor.id]
    return cursors.page(read(*conditions, limit=limit + 1, turn=turn), limit, turn, lambda one: (one.seq,))


def get(actor: Actor, job_id: str) -> JobView:
    """One batch. Raises NotFound alike for one that is absent and one that is somebody else's."""
    session().rollback()
    found = read(Job.id == _clean(job_id))
    if not found or not (actor.sees_all or found[0].user_id == actor.id):
        raise _absent()
    return found[0]


def confirm(desk: Desk, actor: Actor, job_id: str) -> JobView:
    """Predict the good rows of a checked file. Raises NotFound, Conflict."""
    with transaction() as s:
        job = _own(s, actor, job_id)
        if job.state != "checked":
            raise Conflict(said("This batch does not wait for a confirmation."))
        if job.bad_rows >= job.n_rows:
            raise Conflict(said("None of the rows can be predicted; upload a mended file."))
        _again(job, "running")
    _send(desk, job_id)
    return get(actor, job_id)


def read_again(desk: Desk, actor: Actor, job_id: str, options: Mapping[str, str]) -> JobView:
    """Check the file anew, read in another way. Raises NotFound, Conflict, InvalidInput."""
    wanted = _options(options)
    with transaction() as s:
        job = _own(s, actor, job_id)
        if job.state not in ("checked", "refused") or job.removed_us is not None:
            raise Conflict(said("This batch is past its check; upload the file again."))
        kept = STRICT.items() & orjson.loads(job.options).items()
        job.options, job.findings = orjson.dumps(wanted | dict(kept)).decode(), None
        job.n_rows = job.bad_rows = 0
        _again(job, "checking")
    _send(desk, job_id)
    return get(actor, job_id)


def cancel(desk: Desk, actor: Actor, job_id: str) -> JobView:
    """End a batch; what is on the record by then stays. Owners and admins may. Raises NotFound, Conflict."""
    with transaction() as s:
        job = _own(s, actor, job_id, admins=True)
        if job.state not in ("checking", "checked", "running"):
            raise Conflict(said("This batch has ended already."))
        if job.lease_us is not None and presence.alive(desk.workshop.workers, job.worker or ""):
            job.cancel = True  # its worker finds it with the next chunk
        else:
            job.state, job.finished_us = "cancelled", now_us()
            job.worker = job.lease_us = None
    return get(actor, job_id)


def remove(desk: Desk, actor: Actor, job_id: str) -> None:
    """Delete the file and the result of a batch that has ended; its records stay. Raises NotFound, Conflict."""
    with transaction() as s:
        job = _own(s, actor, job_id)
        if job.state in ("checking", "running"):
            raise Conflict(said("This batch is being worked on; cancel it first."))
        if job.state == "checked":
            job.state, job.finished_us = "cancelled", now_us()
        job.removed_us = now_us()
    discard(desk.workshop.job(job_id))


def result(desk: Desk, actor: Actor, job_id: str) -> Result:
    """What has been predicted so far, as CSV. Raises NotFound, Conflict where there is nothing."""
    job = get(actor, job_id)
    if job.removed:
        raise NotFound(said("The files of this batch were deleted; its records are in the history."))
    if job.findings is None or not job.parts:
        raise Conflict(said("This batch has no result yet."))
    if not actor.sees_all and _some_restricted(job.id):
        raise Conflict(said("The result is held back, because a record in it is restricted; ask an admin."))
    dialect = Dialect.of(How(**job.findings["how"]))
    heading = head(job.findings["names"], job.findings["classes"], dialect)
    size = len(heading) + sum(size for _, size in job.parts)
    return Result(size, stream(desk.workshop.job(job.id), heading, job.parts))


def problems(desk: Desk, actor: Actor, job_id: str) -> Result:
    """Every problem found in the file, as CSV. Raises NotFound."""
    job = get(actor, job_id)
    path = desk.workshop.job(job.id) / "problems.csv"
    if job.removed or not path.is_file():
        raise NotFound(said("There is no list of problems of this batch."))
    return Result(path.stat().st_size, _file(path))


def worked_on(desk: Desk) -> bool:
    """Whether there is a worker to take up batches."""
    return presence.any_alive(desk.workshop.workers)


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(64 * 1024):
            yield data


def _some_restricted(job_id: str) -> bool:
    held = (
        select(Hold.seq)
        .join(Prediction, Prediction.seq == Hold.prediction_seq)
        .where(Hold.lifted_us.is_(None), Prediction.request_id == job_id)
    )
    return session().scalar(held.limit(1)) is not None


def _again(job: Job, state: str) -> None:
    job.state, job.moved_us = state, now_us()
    job.started_us = job.finished_us = job.worker = job.lease_us = None
    job.detail, job.tries, job.cancel = "", 0, False


def _own(s: Session, actor: Actor, job_id: str, *, admins: bool = False) -> Job:
    job = s.scalar(select(Job).where(Job.id == _clean(job_id)).with_for_update())
    if job is None or not (actor.sees_all or job.user_id == actor.id):
        raise _absent()
    if job.user_id != actor.id and not (admins and actor.role == "admin"):
        raise NotAllowed(said("Only its owner may do this with a batch."))
    return job


def _clean(job_id: str) -> str:
    return job_id if job_id.isascii() and job_id.isprintable() else ""


def _absent() -> NotFound:
    return NotFound(said("There is no such batch, or it is not yours to see."))


def _options(given: Mapping[str, str]) -> dict[str, str]:
    problems, options = [], {}
    for word, text in given.items():
        if not text:
            continue
        if word == "subject":
            if len(text) > LONGEST_NAME or printable(text) != text:
                problems.append(Problem("#/subject", said("must be the name of a column")))
        elif word not in CHOICES or text not in CHOICES[word]:
            problems.append(Problem(f"#/{word}", said("must be one of those offered")))
        options[word] = text.strip() if word == "subject" else text
    if problems:
        raise InvalidInput(problems)
    return options


def _send(desk: Desk, job_id: str) -> None:
    with suppress(Exception):  # the queue may be away: whoever looks after jobs sends it again
        desk.workshop.queue.put(job_id)
