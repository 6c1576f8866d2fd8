"""What an erasure would take, before anybody does it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from webapp.db import Hold, Job, Outcome, Prediction, Retention, Review
from webapp.db.base import session
from webapp.db.jobs import ACTIVE
from webapp.errors import Conflict, NotFound
from webapp.services.clock import now_us
from webapp.services.erasure.traces import Traces, traces_of
from webapp.services.targets import Target, day
from webapp.wording import said

DAY_US = 86_400 * 1_000_000
#: Of held records and of batches, so many are named.
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Held:
    """A record that is restricted: why, and until when (microseconds UTC; None: until it is lifted)."""

    id: str
    reason: str
    until_us: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch with one of the records in it; its files hold all of its rows."""

    id: str
    file_name: str
    active: bool
    #: Whether file and result are there yet.
    files: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What there is to erase; times are microseconds UTC."""

    target: Target
    #: Records that are not erased yet, when the first and the last of them were asked for, and how many are erased.
    records: int
    first_us: int | None
    last_us: int | None
    erased: int
    #: How many are restricted, and some of them.
    n_held: int
    held: list[Held]
    #: How many are younger than the floor of retention, and from when on none is.
    early: int
    possible_us: int | None
    floor_days: int
    reviews: int
    outcomes: int
    batches: list[Batch]
    traces: Traces

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to erase."""
        return not self.records and self.traces.nothing

    @property
    def refusal(self) -> str:
        """Why it can not be done now, whatever anybody types; empty if it can."""
        try:
            self.refuse()
        except (Conflict, NotFound) as error:
            return error.detail
        return ""

    def refuse(self) -> None:
        """Raises NotFound where there is nothing, Conflict where something is restricted or being worked on."""
        if self.nothing and self.erased:
            raise Conflict(said("This is erased already."))
        if self.nothing:
            raise NotFound(said("There is nothing on the record about this subject."))
        if self.held:
            raise held_back(self.held[0])
        for batch in self.batches:
            if batch.active:
                raise being_worked_on(batch.id)


def held_back(held: Held) -> Conflict:
    """That a restricted record is not erased."""
    if held.until_us is None:
        return Conflict(
            said(
                "Record {id} is restricted until somebody lifts it ({reason}), so it is not erased.",
                id=held.id,
                reason=held.reason,
            )
        )
    return Conflict(
        said(
            "Record {id} is restricted until {day} UTC ({reason}), so it is not erased; lift the restriction first.",
            id=held.id,
            day=day(held.until_us - 1),
            reason=held.reason,
        )
    )


def being_worked_on(batch: str) -> Conflict:
    """That the files of a batch can not be removed yet."""
    return Conflict(
        said(
            "Batch {id} holds some of these records and is being worked on; wait for its end, or cancel it.",
            id=batch,
        )
    )


def preview(target: Target) -> Preview:
    """Look at what an erasure of `target` would take."""
    session().rollback()
    floor = session().scalar(select(Retention.floor_days)) or 0
    of = Prediction.seq, Prediction.created_us
    counted = session().execute(
        select(Prediction.state, func.count(of[0]), func.min(of[1]), func.max(of[1]))
        .where(target.condition)
        .group_by(Prediction.state)
    )
    states = {state: (n, first, last) for state, n, first, last in counted}
    there = [states[state] for state in ("active", "restricted") if state in states]
    young = target.condition, Prediction.state != "erased", of[1] > now_us() - floor * DAY_US
    early = session().scalar(select(func.count()).select_from(Prediction).where(*young)) or 0
    last_us = max((last for _, _, last in there), default=None)
    return Preview(
        target=target,
        records=sum(n for n, _, _ in there),
        first_us=min((first for _, first, _ in there), default=None),
        last_us=last_us,
        erased=states.get("erased", (0,))[0],
        n_held=states.get("restricted", (0,))[0],
        held=_held(target) if "restricted" in states else [],
        early=early,
        possible_us=last_us + floor * DAY_US if early and last_us is not None else None,
        floor_days=floor,
        reviews=_said(target, Review),
        outcomes=_said(target, Outcome),
        batches=_batches(target),
        traces=traces_of([] if target.subject is None else [target.subject]),
    )


def _held(target: Target) -> list[Held]:
    rows = session().execute(
        select(Prediction.id, Hold.reason, Hold.until_us)
        .join(Hold, Hold.prediction_seq == Prediction.seq)
        .where(target.condition, Prediction.state == "restricted", Hold.lifted_us.is_(None))
        .order_by(Prediction.seq)
        .limit(MOST_NAMED)
    )
    return [Held(*row) for row in rows]


def _said(target: Target, table: type[Review] | type[Outcome]) -> int:
    seqs = select(Prediction.seq).where(target.condition)
    wanted = table.prediction_seq.in_(seqs), table.note.is_not(None)
    return session().scalar(select(func.count()).select_from(table).where(*wanted)) or 0


def _batches(target: Target) -> list[Batch]:
    ids = select(Prediction.request_id).where(
        target.condition, Prediction.channel == "batch", Prediction.state != "erased"
    )
    rows = session().execute(
        select(Job.id, Job.file_name, Job.state, Job.removed_us).where(Job.id.in_(ids)).order_by(Job.seq)
    )
    return [Batch(id, name, state in ACTIVE, removed is None) for id, name, state, removed in rows]
