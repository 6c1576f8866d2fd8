"""What people decide about answers. A decision is never changed: a later one takes its place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select

from webapp.db import Prediction, Review, User
from webapp.db.base import session, transaction
from webapp.errors import InvalidInput, Problem
from webapp.ml.store import Store
from webapp.services import audit, history, reasons
from webapp.services.judging import Truth, lock, truth
from webapp.services.people import Actor
from webapp.wording import said


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One decision; `at_us` is microseconds UTC."""

    at_us: int
    user: str
    #: confirmed or overridden.
    action: str
    #: What a person decided instead: a class or a number. None for a confirmation, or once erased.
    decision: str | float | None
    #: Empty where none was given; None once erased.
    reason: str | None
    event: str


def confirm(actor: Actor, record_id: str, reason: str = "") -> None:
    """Put on the record that a person stands by the answer.

    Raises NotFound, NotAllowed, NotSignedIn, Conflict (erased), InvalidInput (`#/reason`).
    """
    _review(actor, record_id, "confirmed", None, reasons.read(reason))


def override(store: Store, actor: Actor, record_id: str, decision: Any, reason: str) -> None:
    """Put on the record that a person decides otherwise, and why.

    Raises as `confirm`, and InvalidInput (`#/decision`: no class of the version, not a finite number, or what was
    answered anyway), NotReady.
    """
    record = history.get(actor, record_id)
    problems = []
    decided: Truth | None = None
    try:
        decided = truth(store, record, decision, "#/decision")
        if decided == (record.label, record.value):
            problems.append(Problem("#/decision", said("is what was answered; confirm the answer instead")))
    except InvalidInput as error:
        problems += error.problems
    try:
        if not reasons.read(reason):
            problems.append(Problem("#/reason", said("is required; say why the answer does not stand")))
    except InvalidInput as error:
        problems += error.problems
    if problems or decided is None:
        raise InvalidInput(problems)
    _review(actor, record_id, "overridden", decided.plain, reasons.read(reason))


def of(record_id: str) -> list[Reviewed]:
    """The decisions about a record that the caller may see, oldest first."""
    rows = session().execute(
        select(Review, User.username)
        .join(Review.user)
        .where(
            Review.prediction_seq
            == select(Prediction.seq).where(Prediction.id == record_id).scalar_subquery()
        )
        .order_by(Review.seq)
    )
    return [_reviewed(row, username) for row, username in rows]


def _review(actor: Actor, record_id: str, action: str, decision: str | float | None, reason: str) -> None:
    note = orjson.dumps({"decision": decision, "reason": reason})
    salt = os.urandom(audit.SALT_BYTES)
    with transaction() as current:
        row = lock(current, actor, record_id, Review.prediction_seq)
        # What it says may be about a person, so the event commits to it without holding it.
        facts = {"record": record_id, "action": action, "note": audit.commitment(salt, note)}
        event = audit.put(current, "review", actor.id, facts)
        kept = {"action": action, "note": note.decode(), "salt": salt, "at_us": event.at_us}
        current.add(Review(event_id=event.id, prediction_seq=row.seq, user_id=actor.id, **kept))
        row.review = action


def _reviewed(row: Review, username: str) -> Reviewed:
    note = orjson.loads(row.note) if row.note else {"decision": None, "reason": None}
    return Reviewed(row.at_us, username, row.action, note["decision"], note["reason"], row.event_id)
