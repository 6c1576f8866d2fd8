"""Letting go of what was asked and answered. The leaf stays, and an event that says who, when and on which basis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, select

from webapp.db import Change, Event, Prediction
from webapp.db.base import session, transaction, write_lock
from webapp.db.changes import ERASURES
from webapp.db.scrubbing import scrub
from webapp.errors import Conflict, InvalidInput, Problem
from webapp.services.clock import now_us
from webapp.services.desk import Desk
from webapp.services.erased import BASES, REQUESTERS, RETENTION
from webapp.services.erasure import batches
from webapp.services.erasure.parts import JOURNALLED, Ground, Part, erase_part
from webapp.services.erasure.preview import DAY_US, Preview, preview
from webapp.services.erasure.traces import Traces, traces_of
from webapp.services.horizons import advance, horizon
from webapp.services.people import Actor
from webapp.services.targets import Target, admins_only, checked_reason, day
from webapp.wording import said

__all__ = [
    "EARLY",
    "USUAL",
    "Done",
    "Order",
    "Preview",
    "clean",
    "erase",
    "phrases",
    "preview",
    "reapply",
    "take",
]

#: What has to be typed for an erasure, and for one before the floor of retention; in each language of the pages.
USUAL = (said("ERASE"), "APAGAR")
EARLY = (said("ERASE BEFORE ITS TIME"), "APAGAR ANTES DO PRAZO")
#: Number of the erasure until which all bytes are known to be gone from the files.
SCRUBBED = "scrubbed"
#: Seconds that whoever erases waits for readers to let the files be cleaned.
WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants something erased, and on which basis; `typed` confirms it."""

    basis: str
    reason: str = ""
    requested_by: str = "controller"
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What was erased; `clean` is false where old bytes are still in the files, and a worker will try again."""

    records: int = 0
    events: int = 0
    filters: int = 0
    batches: int = 0
    #: Ids of the events that say so.
    said: tuple[str, ...] = ()
    clean: bool = True

    def plus(self, part: Part) -> Done:
        """With what one transaction took."""
        return replace(
            self,
            records=self.records + part.records,
            events=self.events + part.events,
            filters=self.filters + part.filters,
            batches=self.batches + len(part.batches),
            said=(*self.said, part.event) if part.event else self.said,
        )


def phrases(found: Preview) -> tuple[str, ...]:
    """What confirms an erasure, in each language."""
    return EARLY if found.early else USUAL


def erase(desk: Desk, actor: Actor | None, target: Target, order: Order) -> Done:
    """Erase records, or all about a subject, several hundred with a transaction: one that is cut short is done again.

    Raises NotAllowed, InvalidInput (`#/basis`, `#/requested_by`, `#/reason`, `#/typed`), NotFound, NotReady, and
    Conflict where a record is restricted, too young, or in a batch that is being worked on.
    """
    admins_only(actor)
    found = preview(target)
    reason = _checked(order, _subjects(target))
    found.refuse()
    _confirm(found, order.typed)
    whole = target.subject is not None
    ground = Ground(order.basis, reason, order.requested_by, bool(found.early), whole)
    wanted = [target.condition]
    if not found.early:  # nor what is asked about the subject meanwhile
        wanted.append(Prediction.created_us <= now_us() - found.floor_days * DAY_US)
    done = take(desk, actor, wanted, ground, [target.subject] if target.subject else [])
    return replace(done, clean=clean(WAIT))


def take(
    desk: Desk,
    actor: Actor | None,
    wanted: Sequence[ColumnElement[bool]],
    ground: Ground,
    subjects: Sequence[str] = (),
    *,
    held_since: int | None = None,
) -> Done:
    """Erase all that a condition means, part by part, and where else `subjects` are named."""
    done, traces = Done(), traces_of(subjects)
    while True:
        part = erase_part(desk, actor, wanted, ground, traces, held_since=held_since)
        done = done.plus(part)
        if part.batches:
            batches.clear(desk, part.batches, subjects)
            continue
        if part.full:
            traces = Traces(traces.events[part.events :])
            continue
        traces = traces_of(subjects)  # somebody may have named them meanwhile
        if traces.nothing:
            return done


def reapply(desk: Desk) -> int:
    """Erase again what the journal says was erased and is not, in an older copy of the database; returns how many.

    Quick when nothing is to be done: the database knows how much of the journal is in it.
    """
    again = 0
    while True:
        start, end = horizon(session(), JOURNALLED), desk.journal.size()
        if start == end or not end:
            return again
        for line in desk.journal.read(start):
            again += _reapply_line(desk, line)
        with transaction() as current:
            advance(current, JOURNALLED, start, end)


def clean(seconds: float = WAIT, *, only: str = "") -> bool:
    """See to it that what was erased is gone from the files too, if that has not been done; false if it cannot yet.

    `only`: where the database is of this dialect.
    """
    current = session()
    if only and current.get_bind().dialect.name != only:
        return True
    newest = current.scalar(select(Change.number).where(Change.topic == ERASURES)) or 0
    before = horizon(current, SCRUBBED)
    engine = current.get_bind().engine
    current.rollback()  # this reader would be in its own way
    if newest == before:
        return True
    if not scrub(engine, write_lock(), seconds):
        return False
    with transaction() as current:
        advance(current, SCRUBBED, before, newest)
    return True


def _reapply_line(desk: Desk, line: dict[str, object]) -> int:
    records, events = _ids(line, "records"), _ids(line, "events")
    there = Prediction.id.in_(records), Prediction.state != "erased"
    rows = session().execute(select(Prediction.seq, Prediction.subject).where(*there)).all()
    told = session().scalars(select(Event.id).where(Event.id.in_(events), Event.facts.is_not(None))).all()
    if not rows and not told:
        return 0
    ground = Ground(
        str(line.get("basis", "other")),
        str(line.get("reason", "")),
        str(line.get("requested_by", "controller")),
        bool(line.get("despite_floor")),
        bool(line.get("by_subject")),
        reapplied=True,
    )
    at_us = line.get("at_us")
    since = min(at_us, now_us()) if isinstance(at_us, int) else 0  # a line from the future outdoes no hold
    subjects = sorted({row.subject for row in rows if row.subject}) if ground.whole else []
    wanted = [Prediction.seq.in_([row.seq for row in rows])]
    also = traces_of(subjects)  # what it did not know of yet, or what has come back as well
    traces = Traces((*told, *also.events), also.filters)
    while (part := erase_part(desk, None, wanted, ground, traces, held_since=since)).batches:
        batches.clear(desk, part.batches, subjects)
    return part.records


def _ids(line: dict[str, object], name: str) -> list[str]:
    found = line.get(name)
    return [str(one) for one in found] if isinstance(found, list) else []


def _subjects(target: Target) -> set[str]:
    if target.subject is not None:
        return {target.subject}
    named = Prediction.id.in_(target.records), Prediction.subject.is_not(None)
    return set(session().scalars(select(Prediction.subject).where(*named)))


def _checked(order: Order, subjects: set[str]) -> str:
    """The reason as it is kept; raises InvalidInput with all that is wrong with an order."""
    problems, reason = [], ""
    if not order.basis:
        problems.append(Problem("#/basis", said("has to be chosen")))
    elif order.basis not in BASES or order.basis == RETENTION:
        known = ", ".join(code for code in BASES if code != RETENTION)
        problems.append(Problem("#/basis", said("must be one of {known}", known=known)))
    if order.requested_by not in REQUESTERS or order.requested_by == RETENTION:
        problems.append(Problem("#/requested_by", said("must be subject, controller or authority")))
    try:
        reason = checked_reason(order.reason, required=order.basis == "other", subjects=subjects)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return reason


def _confirm(found: Preview, typed: str) -> None:
    wanted = phrases(found)
    if typed.strip() in wanted:
        return
    if not found.early or found.possible_us is None:
        raise InvalidInput([Problem("#/typed", said("must be {phrase}", phrase=wanted[0]))])
    until = said(
        "Records must be kept for {days} days: {n} of these until {day} UTC. An admin who types {phrase} erases them "
        "before, and that goes on the record.",
        days=found.floor_days,
        n=found.early,
        day=day(found.possible_us),
        phrase=wanted[0],
    )
    raise Conflict(until)
