"""Restriction: a record that is disputed is kept as it is, and only auditors and admins see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.db import Hold, Horizon, Prediction, User
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, NotFound, Problem
from webapp.services import audit
from webapp.services.clock import now_us
from webapp.services.filters import Filters
from webapp.services.horizons import RETAINED
from webapp.services.people import Actor, queue
from webapp.services.targets import PART, Target, admins_only, checked_reason
from webapp.wording import said


@dataclass(frozen=True, slots=True)
class Restriction:
    """A time in which a record was, or is, restricted; microseconds UTC."""

    record: str
    at_us: int
    #: None: the operator.
    user: str | None
    reason: str
    #: When it ends by itself; None: when somebody lifts it.
    until_us: int | None
    #: None: it stands.
    lifted_us: int | None


def of_record(record_id: str) -> list[Restriction]:
    """The restrictions of a record that the caller may see, oldest first."""
    return _read(Prediction.id == record_id)


def standing(target: Target, limit: int = 100) -> list[Restriction]:
    """Those that stand, oldest first."""
    return _read(target.condition, Hold.lifted_us.is_(None), limit=limit)


def until(text: str) -> int | None:
    """The end of a day, or a moment, as somebody gives it; None for an empty text. Raises InvalidInput (`#/until`)."""
    if not text.strip():
        return None
    try:
        read = Filters.read({"to": text}).until_us
    except InvalidInput as error:
        raise InvalidInput([Problem("#/until", p.detail) for p in error.problems]) from None
    if read is None or read <= now_us():
        raise InvalidInput([Problem("#/until", said("is over already; give a day to come, or none"))])
    return read


def restrict(actor: Actor | None, target: Target, reason: str, until_us: int | None = None) -> int:
    """Restrict what is active of `target`; returns how many records.

    Raises NotAllowed, InvalidInput (`#/reason`), Conflict where nothing is active, NotSignedIn.
    """
    admins_only(actor)
    wanted = [target.condition, Prediction.state == "active"]
    named = session().scalars(select(Prediction.subject).where(*wanted, Prediction.subject.is_not(None)))
    subjects = {target.subject} if target.subject is not None else set(named)
    reason = checked_reason(reason, required=True, subjects=subjects)  # type: ignore[arg-type]
    restricted = 0
    while part := _restrict(actor, wanted, reason, until_us):
        restricted += part
    if not restricted:
        raise Conflict(
            said("There is nothing to restrict: it is restricted or erased already, or not there.")
        )
    return restricted


def lift(actor: Actor | None, target: Target) -> int:
    """Make what is restricted of `target` active again; returns how many records.

    Raises NotAllowed, NotFound where nothing is restricted, NotSignedIn.
    """
    admins_only(actor)
    lifted = 0
    while part := _lift(actor, [target.condition], {}):
        lifted += part
    if not lifted:
        raise NotFound(said("Nothing of it is restricted."))
    return lifted


def expire() -> int:
    """Lift the restrictions whose time is over; returns of how many records."""
    over = [Hold.until_us.is_not(None), Hold.until_us <= now_us()]
    if session().scalar(select(Hold.seq).where(Hold.lifted_us.is_(None), *over).limit(1)) is None:
        return 0
    lifted = 0
    while part := _lift(None, over, {"expired": True}):
        lifted += part
    return lifted


def _restrict(actor: Actor | None, wanted: Sequence[Any], reason: str, until_us: int | None) -> int:
    with transaction() as current:
        queue(current, actor)
        found = select(Prediction.seq, Prediction.id).where(*wanted).order_by(Prediction.seq).limit(PART)
        rows = current.execute(found.with_for_update(of=Prediction)).all()
        if not rows:
            return 0
        facts = {"records": [row.id for row in rows], "until_us": until_us, "reason": reason}
        event = audit.put(current, "restriction", actor.id if actor else None, facts)
        seqs = [row.seq for row in rows]
        current.execute(update(Prediction).where(Prediction.seq.in_(seqs)).values(state="restricted"))
        by = actor.id if actor else None
        kept = {
            "at_us": event.at_us,
            "user_id": by,
            "reason": reason,
            "until_us": until_us,
            "event_id": event.id,
        }
        current.add_all(Hold(prediction_seq=seq, **kept) for seq in seqs)
        return len(rows)


def _lift(actor: Actor | None, wanted: Sequence[Any], facts: dict[str, Any]) -> int:
    with transaction() as current:
        queue(current, actor)
        found = (
            select(Hold.seq, Hold.prediction_seq, Prediction.id, Prediction.created_us)
            .join(Prediction, Prediction.seq == Hold.prediction_seq)
            .where(Hold.lifted_us.is_(None), *wanted)
            .order_by(Hold.seq)
            .limit(PART)
        )
        rows = current.execute(found.with_for_update(of=(Prediction, Hold))).all()
        if not rows:
            return 0
        facts = {"records": [row.id for row in rows], **facts}
        event = audit.put(current, "restriction-lifted", actor.id if actor else None, facts)
        holds, seqs = [row.seq for row in rows], [row.prediction_seq for row in rows]
        current.execute(update(Hold).where(Hold.seq.in_(holds)).values(lifted_us=event.at_us))
        current.execute(
            update(Prediction)
            .where(Prediction.seq.in_(seqs), Prediction.state == "restricted")
            .values(state="active")
        )
        _keep_in_view(current, min(row.created_us for row in rows))
        return len(rows)


def _keep_in_view(current: Session, created_us: int) -> None:
    """Retention may have passed the record while it was restricted; let it look there again."""
    passed = Horizon.name == RETAINED, Horizon.seq > created_us
    current.execute(update(Horizon).where(*passed).values(seq=created_us))


def _read(*wanted: Any, limit: int | None = None) -> list[Restriction]:
    rows = session().execute(
        select(Prediction.id, Hold.at_us, User.username, Hold.reason, Hold.until_us, Hold.lifted_us)
        .join(Hold, Hold.prediction_seq == Prediction.seq)
        .outerjoin(User, User.id == Hold.user_id)
        .where(*wanted)
        .order_by(Hold.seq)
        .limit(limit)
    )
    return [Restriction(*row) for row in rows]


def count_standing(target: Target) -> int:
    """How many records of `target` are restricted now."""
    wanted = (
        select(func.count()).select_from(Prediction).where(target.condition, Prediction.state == "restricted")
    )
    return session().scalar(wanted) or 0
