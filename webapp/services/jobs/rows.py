"""The row of a job: what others may see of it, and the only ways in which a worker moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import case, select, update

from webapp.db import Job, Model, ModelVersion, User
from webapp.db.base import session, transaction
from webapp.db.commits import Guard, Outrun
from webapp.db.jobs import ACTIVE
from webapp.services.clock import now_us
from webapp.services.paging import Turn
from webapp.wording import pack, said, unpack

LEASE_US = 60_000_000
#: Attempts without getting anywhere, after which a job is given up.
MOST_TRIES = 6
SECOND = 1_000_000
GIVEN_UP = said(
    "The worker ended several times while it was at this batch; ask the operator to look into its log."
)


@dataclass(frozen=True, slots=True)
class JobView:
    """A batch as it stands. Times are microseconds UTC; `state` as in db.jobs."""

    seq: int
    id: str
    user_id: int
    owner: str
    model: str
    title: str
    version: str
    state: str
    file_name: str
    file_bytes: int
    options: dict[str, str]
    on_error: str
    findings: dict[str, Any] | None
    n_rows: int
    bad_rows: int
    rows_done: int
    rows_refused: int
    parts: list[tuple[int, int]]
    attempt: int
    #: Whether a worker has it now.
    held: bool
    cancel: bool
    #: Why it ended, when not by itself; or why it waits.
    details: list[str]
    created_us: int
    started_us: int | None
    moved_us: int
    finished_us: int | None
    removed: bool

    @property
    def active(self) -> bool:
        """Whether a worker has something to do."""
        return self.state in ("checking", "running")

    @property
    def recorded(self) -> int:
        """Rows that are on the record."""
        return self.rows_done - self.rows_refused

    @property
    def good_rows(self) -> int:
        """Rows that can be predicted."""
        return self.n_rows - self.bad_rows

    @property
    def share(self) -> float:
        """How much of the prediction is done, 0 to 1."""
        return self.rows_done / self.n_rows if self.n_rows else 0.0

    @property
    def rate(self) -> float | None:
        """Rows a second since the prediction began; None where that says nothing yet."""
        if self.state not in ("running", "done") or not self.started_us or not self.rows_done:
            return None
        return self.rows_done / max(((self.finished_us or self.moved_us) - self.started_us) / SECOND, 0.001)

    @property
    def seconds_left(self) -> float | None:
        """Until the prediction is done, as it goes."""
        return (self.n_rows - self.rows_done) / self.rate if self.state == "running" and self.rate else None


_QUERY = (
    select(Job, User.username, Model.name, Model.title, ModelVersion.number)
    .join(User, User.id == Job.user_id)
    .join(Model, Model.id == Job.model_id)
    .join(ModelVersion, ModelVersion.id == Job.version_id)
)


def read(*conditions: Any, limit: int | None = None, turn: Turn | None = None) -> list[JobView]:
    """Jobs that meet the conditions on `Job`, newest first; from a turn on, those nearest to it first."""
    beyond = [turn.beyond(Job.seq)] if turn else []
    order = Job.seq if turn and turn.newer else Job.seq.desc()
    query = _QUERY.where(*conditions, *beyond).order_by(order).limit(limit)
    rows = session().execute(query.execution_options(populate_existing=True)).all()
    return [_view(*row) for row in rows]


def read_one(job_id: str) -> JobView | None:
    """One job as it is on file now."""
    session().rollback()
    found = read(Job.id == job_id)
    return found[0] if found else None


def _view(job: Job, owner: str, model: str, title: str, number: int) -> JobView:
    return JobView(
        seq=job.seq,
        id=job.id,
        user_id=job.user_id,
        owner=owner,
        model=model,
        title=title,
        version=str(number),
        state=job.state,
        file_name=job.file_name,
        file_bytes=job.file_bytes,
        options=orjson.loads(job.options),
        on_error=job.on_error,
        findings=orjson.loads(job.findings) if job.findings else None,
        n_rows=job.n_rows,
        bad_rows=job.bad_rows,
        rows_done=job.rows_done,
        rows_refused=job.rows_refused,
        parts=[(attempt, size) for attempt, size in orjson.loads(job.parts)],
        attempt=job.attempt,
        held=job.lease_us is not None and job.lease_us > now_us(),
        cancel=job.cancel,
        details=[unpack(d) for d in orjson.loads(job.detail)] if job.detail else [],
        created_us=job.created_us,
        started_us=job.started_us,
        moved_us=job.moved_us,
        finished_us=job.finished_us,
        removed=job.removed_us is not None,
    )


def claim(job_id: str, worker: str) -> JobView | None:
    """Take a job that nobody has; None where there is nothing to take.

    One that its owner has cancelled ends so, one tried too often is given up.
    """
    now = now_us()
    with transaction() as s:
        free = update(Job).where(Job.id == job_id, Job.state.in_(ACTIVE), Job.lease_us.is_(None))
        unwanted = free.where(Job.cancel).values(state="cancelled", finished_us=now)
        if s.execute(unwanted).rowcount:  # type: ignore[attr-defined]
            return None
        given_up = free.where(Job.tries >= MOST_TRIES).values(
            state="failed",
            finished_us=now,
            detail=case((Job.detail == "", _details([GIVEN_UP])), else_=Job.detail),
        )
        if s.execute(given_up).rowcount:  # type: ignore[attr-defined]
            return None
        taken = free.values(
            attempt=Job.attempt + 1, tries=Job.tries + 1, worker=worker, lease_us=now + LEASE_US
        )
        if not s.execute(taken).rowcount:  # type: ignore[attr-defined]
            return None
        s.execute(update(Job).where(Job.id == job_id, Job.started_us.is_(None)).values(started_us=now))
    return read_one(job_id)


def holds(job: JobView) -> dict[str, Any]:
    """What has to be so for the attempt of `job` to go on."""
    return {"id": job.id, "attempt": job.attempt, "state": job.state, "cancel": False}


def forward(job: JobView, **sets: Any) -> Guard:
    """The guard that moves a job along with its records."""
    now = now_us()
    return Guard("jobs", {"moved_us": now, "lease_us": now + LEASE_US, "tries": 0, **sets}, holds(job))


def move(job: JobView, **sets: Any) -> None:
    """Change a job that is still this attempt's; raises Outrun. A check that has come far has kept nothing yet."""
    now = now_us()
    changed = {"moved_us": now, "lease_us": now + LEASE_US, **sets}
    wanted = [getattr(Job, name) == value for name, value in holds(job).items()]
    with transaction() as s:
        if s.execute(update(Job).where(*wanted).values(**changed)).rowcount != 1:  # type: ignore[attr-defined]
            raise _outrun()


def hold(job: JobView) -> None:
    """Keep a job while nothing of it can be told, its lease included; raises Outrun where it is not this attempt's."""
    s = session()
    s.rollback()
    mine = (Job.id == job.id, Job.attempt == job.attempt, Job.state.in_(ACTIVE), Job.cancel.is_(False))
    lease = s.scalar(select(Job.lease_us).where(*mine))
    s.rollback()
    if lease is None:
        raise _outrun()
    if lease - now_us() < LEASE_US / 2:
        with transaction() as s:
            s.execute(update(Job).where(*mine).values(lease_us=now_us() + LEASE_US))


def _outrun() -> Outrun:
    return Outrun("The batch has been taken up by somebody else, or was ended.")


def end(job: JobView, state: str, details: list[str] | None = None, **sets: Any) -> None:
    """The last word of an attempt on its job; says nothing where that is no longer its own.

    A job that its owner has cancelled waits for no confirmation.
    """
    mine = update(Job).where(Job.id == job.id, Job.attempt == job.attempt, Job.state.in_(ACTIVE))
    values = {**sets, "detail": _details(details or []), "worker": None, "lease_us": None, "tries": 0}
    ended = {**values, "state": state, "finished_us": None if state == "checked" else now_us()}
    with transaction() as s:
        if state in ("checked", "stopped"):  # its owner may have cancelled it while it came to this
            cancelled = {**values, "state": "cancelled", "detail": "", "finished_us": now_us()}
            s.execute(mine.where(Job.cancel).values(**cancelled))
        s.execute(mine.values(**ended))


def let_go(job_id: str, attempt: int, details: list[str] | None = None, **sets: Any) -> None:
    """Give a job back, for any worker to take up again."""
    said_so = {"detail": _details(details)} if details else {}
    with transaction() as s:
        mine = update(Job).where(Job.id == job_id, Job.attempt == attempt)
        s.execute(mine.values(worker=None, lease_us=None, **said_so, **sets))


def _details(details: list[str]) -> str:
    return orjson.dumps([pack(d) for d in details]).decode() if details else ""
