"""Reviews and outcomes, each held against its event, and what records say of the latest ones."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, select

from webapp.db import Event, Leaf, Outcome, Prediction, Review, User
from webapp.services.verifying.agreement import events
from webapp.services.verifying.agreement.strangers import NO_ENTRY
from webapp.services.verifying.findings import Findings
from webapp.wording import said

OTHER_REVIEW = said("the decision is not the one on the record")
OTHER_OUTCOME = said("the outcome is not the one on the record")
CHUNK = 500


def check(connection: Connection, findings: Findings, good: Collection[str]) -> None:
    """Note what disagrees."""
    for table, kind, shown, told, what in (
        (Review, "review", Prediction.review, "action", OTHER_REVIEW),
        (Outcome, "outcome", Prediction.outcome, "verdict", OTHER_OUTCOME),
    ):
        latest = _each(connection, findings, table, told, what)
        _without_rows(connection, findings, table, kind, good, what)
        for name, mark in connection.execute(select(Prediction.id, shown).where(shown.is_not(None))):
            if latest.pop(name, None) != mark:
                findings.blame(None, name, what)
        for name in latest:
            findings.blame(None, name, what)


def _each(
    connection: Connection, findings: Findings, table: type[Review] | type[Outcome], told: str, what: str
) -> dict[str, str]:
    """Hold each row against its event; returns what the latest says, by the id of the record."""
    latest: dict[str, str] = {}
    last: dict[str, int] = {}
    current: dict[str, Any] = {}
    for row in _rows(connection, table):
        if row.event is None or row.username is None:
            findings.blame(None, row.record, NO_ENTRY)
            continue
        try:
            agrees = _agrees(row, orjson.loads(row.facts or "{}"))
        except (ValueError, LookupError, TypeError, AttributeError):
            agrees = False
        # Pages go by the numbers of rows, so these must be in the order of the entries.
        if not agrees or row.seq < last.get(row.record, 0):
            findings.blame(None, row.record, what)
        last[row.record], latest[row.record] = row.seq, getattr(row, told)
        if table is Outcome:
            if current.get(row.record):
                findings.blame(None, row.record, what)
            current[row.record] = row.latest
    for name, is_latest in current.items():
        if not is_latest:
            findings.blame(None, name, what)
    return latest


def _rows(connection: Connection, table: type[Review] | type[Outcome]) -> Iterator[Any]:
    """All rows with their events and records, in the order of the entries; those without one come first."""
    after = -1
    while True:
        rows = connection.execute(
            select(table.__table__, Event.id.label("event"), Event.facts, Event.at_us.label("at"))
            .add_columns(Event.user_id.label("by"), Prediction.id.label("record"), Prediction.state)
            .add_columns(
                Prediction.created_us, Prediction.model_id.label("of"), Prediction.version_id.label("v")
            )
            .add_columns(User.username, Leaf.seq.label("place"))
            .outerjoin(Leaf, Leaf.record_id == table.event_id)
            .outerjoin(Event, (Event.id == table.event_id) & (Event.kind == Leaf.kind))
            .outerjoin(User, User.id == table.user_id)
            .join(Prediction, Prediction.seq == table.prediction_seq)
            .where(Leaf.seq.is_(None) if after < 0 else Leaf.seq > after)
            .order_by(Leaf.seq, table.seq)
            .limit(CHUNK if after >= 0 else None)
        ).all()
        yield from rows
        if not rows and after >= 0:
            return
        after = rows[-1].place if after >= 0 else 0


def _agrees(row: Any, facts: dict[str, Any]) -> bool:
    if (facts.get("record"), row.by, row.at) != (row.record, row.user_id, row.at_us):
        return False
    outcome = "label" in row._fields
    if outcome and (row.predicted_us, row.model_id, row.version_id) != (row.created_us, row.of, row.v):
        return False
    if any(facts[name] != getattr(row, name) for name in ("action", "source", "verdict") if name in facts):
        return False
    if row.note is None or row.salt is None:
        empty = not outcome or (row.label is None and row.value is None)
        return row.note is None and row.salt is None and row.state == "erased" and empty
    if hmac.digest(row.salt, row.note.encode(), "sha256").hex() != facts.get("note"):
        return False
    if not outcome:
        return True
    actual = orjson.loads(row.note)["actual"]
    return bool(actual == (row.value if row.label is None else row.label))


def _without_rows(
    connection: Connection,
    findings: Findings,
    table: type[Review] | type[Outcome],
    kind: str,
    good: Collection[str],
    what: str,
) -> None:
    """Events whose row is gone."""
    known = set(connection.scalars(select(table.event_id)))
    for told in events.of(connection, good, kind):
        if told.id not in known:
            findings.blame(None, told.id, what)
