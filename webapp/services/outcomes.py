"""What turned out to be true. A report is never changed: a later one corrects it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select, update

from webapp.db import Outcome, Prediction, User
from webapp.db.base import session, transaction
from webapp.ml.store import Store
from webapp.services import audit, history
from webapp.services.judging import Truth, lock, truth
from webapp.services.people import Actor


@dataclass(frozen=True, slots=True)
class Reported:
    """One report of the truth; `at_us` is microseconds UTC."""

    at_us: int
    user: str
    #: The channel it came through.
    source: str
    #: A class or a number; None once erased.
    actual: str | float | None
    #: agrees or differs; known where the answer is a number.
    verdict: str
    event: str


def report(store: Store, actor: Actor, record_id: str, actual: Any, source: str) -> Reported:
    """Put the truth about a record on the record; `source` is the channel.

    Raises InvalidInput (`#/actual`: no class of the version, or not a finite number), NotFound, NotAllowed,
    NotSignedIn, Conflict (erased), NotReady.
    """
    record = history.get(actor, record_id)
    true = truth(store, record, actual, "#/actual")
    verdict = "known" if true.label is None else "agrees" if true.label == record.label else "differs"
    note, salt = orjson.dumps({"actual": true.plain}), os.urandom(audit.SALT_BYTES)
    with transaction() as current:
        row = lock(current, actor, record_id, Outcome.prediction_seq)
        facts = {
            "record": record_id,
            "source": source,
            "verdict": verdict,
            "note": audit.commitment(salt, note),
        }
        event = audit.put(current, "outcome", actor.id, facts)
        earlier = (Outcome.prediction_seq == row.seq, Outcome.latest)
        current.execute(update(Outcome).where(*earlier).values(latest=False))
        kept = {
            "verdict": verdict,
            "note": note.decode(),
            "salt": salt,
            "at_us": event.at_us,
            "source": source,
        }
        current.add(_row(row, true, actor, event_id=event.id, **kept))
        row.outcome = verdict
        said = (event.at_us, event.id)
    return Reported(said[0], actor.username, source, true.plain, verdict, said[1])


def of(record_id: str) -> list[Reported]:
    """The reports about a record that the caller may see, oldest first."""
    rows = session().execute(
        select(Outcome, User.username)
        .join(Outcome.user)
        .where(
            Outcome.prediction_seq
            == select(Prediction.seq).where(Prediction.id == record_id).scalar_subquery()
        )
        .order_by(Outcome.seq)
    )
    return [
        Reported(
            row.at_us,
            username,
            row.source,
            row.value if row.label is None else row.label,
            row.verdict,
            row.event_id,
        )
        for row, username in rows
    ]


def _row(of: Prediction, true: Truth, actor: Actor, **kept: Any) -> Outcome:
    return Outcome(
        prediction_seq=of.seq,
        model_id=of.model_id,
        version_id=of.version_id,
        predicted_us=of.created_us,
        user_id=actor.id,
        label=true.label,
        value=true.value,
        **kept,
    )
