"""The one transaction that erases: up to PART records, what was said about them, and the event that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from webapp.db import Event, Hold, IdempotencyKey, Outcome, Prediction, Review, SavedFilter
from webapp.db.base import transaction
from webapp.db.changes import ERASURES, bump
from webapp.services import audit
from webapp.services.clock import now_us
from webapp.services.desk import Desk
from webapp.services.erasure import batches
from webapp.services.erasure.preview import Held, held_back
from webapp.services.erasure.traces import Traces
from webapp.services.horizons import advance
from webapp.services.people import Actor, queue
from webapp.services.targets import PART, mentions

#: Bytes of the journal that are in this database.
JOURNALLED = "erasures"


@dataclass(frozen=True, slots=True)
class Ground:
    """Why something is erased; what goes into the event and the journal."""

    basis: str
    reason: str
    requested_by: str
    despite_floor: bool = False
    #: Whether all about a subject is meant.
    whole: bool = False
    #: Done again, after an older copy of the database was restored.
    reapplied: bool = False

    def facts(self) -> dict[str, Any]:
        """As the event has them."""
        again = {"reapplied": True} if self.reapplied else {}
        return {
            "basis": self.basis,
            "reason": self.reason,
            "requested_by": self.requested_by,
            "despite_floor": self.despite_floor,
            "by_subject": self.whole,
            **again,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """What one transaction took."""

    records: int = 0
    events: int = 0
    filters: int = 0
    #: The event that says so; empty where nothing was taken.
    event: str = ""
    #: Batches whose files have to go first; nothing was taken.
    batches: tuple[str, ...] = ()
    #: Whether there may be more.
    full: bool = False


def erase_part(
    desk: Desk,
    actor: Actor | None,
    wanted: Sequence[ColumnElement[bool]],
    ground: Ground,
    traces: Traces = Traces(),  # noqa: B008 - it cannot be changed
    *,
    held_since: int | None = None,
) -> Part:
    """Erase the first PART records of a condition; `held_since`: only holds set after that moment count.

    Raises Conflict where one is restricted, NotReady where the journal cannot be written, NotSignedIn.
    """
    with transaction() as current:
        queue(current, actor)
        rows = _rows(current, wanted)
        if held_since is not None:
            rows = _without(rows, _held(current, rows, held_since))
        elif held := _held(current, rows, None):
            raise held_back(held[0])
        files = batches.with_files(desk, (row.request_id for row in rows if row.channel == "batch"))
        if files:
            return Part(batches=tuple(files))
        told = _told(current, traces.events[:PART])
        filters = len(current.execute(_forget(traces.filters)).all()) if traces.filters else 0
        if not (rows or told or filters):
            return Part()
        facts = {**ground.facts(), "records": [row.id for row in rows], "events": told}
        event = audit.put(current, "erasure", actor.id if actor else None, facts)
        current.flush()
        _let_go(current, rows, event)
        bump(current, ERASURES)
        # The last thing before the commit, so that no erasure is missing from it; what is too much there does no harm.
        advance(current, JOURNALLED, *desk.journal.append({"event": event.id, "at_us": event.at_us, **facts}))
        return Part(len(rows), len(told), filters, event.id, full=len(rows) == PART)


def _rows(current: Session, wanted: Sequence[ColumnElement[bool]]) -> list[Any]:
    columns = Prediction.seq, Prediction.id, Prediction.created_us, Prediction.subject, Prediction.state
    found = (
        select(*columns, Prediction.channel, Prediction.request_id)
        .where(*wanted, Prediction.state != "erased")
        .order_by(Prediction.created_us, Prediction.seq)
        .limit(PART)
        .with_for_update(of=Prediction)
    )
    return list(current.execute(found).all())


def _held(current: Session, rows: Sequence[Any], since: int | None) -> list[Held]:
    seqs = [row.seq for row in rows if row.state == "restricted"]
    if not seqs:
        return []
    holds = (
        select(Prediction.id, Hold.reason, Hold.until_us)
        .join(Hold, Hold.prediction_seq == Prediction.seq)
        .where(Hold.prediction_seq.in_(seqs), Hold.lifted_us.is_(None))
        .order_by(Hold.prediction_seq)
    )
    return [
        Held(*row) for row in current.execute(holds if since is None else holds.where(Hold.at_us > since))
    ]


def _without(rows: Sequence[Any], held: Sequence[Held]) -> list[Any]:
    ids = {one.id for one in held}
    return [row for row in rows if row.id not in ids]


def _told(current: Session, ids: Sequence[str]) -> list[str]:
    """Let go of the facts of events; returns the ids of those that had any."""
    if not ids:
        return []
    there = Event.id.in_(ids), Event.facts.is_not(None)
    found = list(current.scalars(select(Event.id).where(*there).order_by(Event.seq).with_for_update()))
    current.execute(update(Event).where(Event.id.in_(found)).values(facts=None, salt=None))
    return found


def _forget(filters: Sequence[int]) -> Any:
    return delete(SavedFilter).where(SavedFilter.id.in_(filters)).returning(SavedFilter.id)


def _let_go(current: Session, rows: Sequence[Any], event: Event) -> None:
    seqs = [row.seq for row in rows]
    nothing = dict.fromkeys(("inputs", "output", "salts", "subject", "label", "value", "score"))
    erased = {**nothing, "state": "erased", "erasure": event.seq}
    current.execute(update(Prediction).where(Prediction.seq.in_(seqs)).values(erased))
    said = update(Review).where(Review.prediction_seq.in_(seqs)).values(note=None, salt=None)
    current.execute(said)
    true = dict.fromkeys(("note", "salt", "label", "value"))
    current.execute(update(Outcome).where(Outcome.prediction_seq.in_(seqs)).values(true))
    standing = Hold.prediction_seq.in_(seqs), Hold.lifted_us.is_(None)
    current.execute(update(Hold).where(*standing).values(lifted_us=now_us()))
    _forget_keys(current, rows)


def _forget_keys(current: Session, rows: Sequence[Any]) -> None:
    """A key's fingerprint is a plain hash of what was asked, by which it could be guessed."""
    ids, subjects = {row.id for row in rows}, {row.subject for row in rows if row.subject}
    # Of one moment with the records they lead to.
    moments = {row.created_us for row in rows}
    for key in current.scalars(select(IdempotencyKey).where(IdempotencyKey.created_us.in_(moments))):
        if ids.isdisjoint(orjson.loads(key.record_ids)):
            continue
        if any(mentions(key.key, subject) for subject in subjects):
            current.delete(key)
        else:
            key.fingerprint = ""
