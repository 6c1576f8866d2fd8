"""Whether what stands beside the leaves agrees with them: reviews, outcomes, holds, erasures, and what is live."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from webapp.db import Alias, Event, Hold, Leaf, Model, ModelVersion, Outcome, Prediction, Review
from webapp.db.registry import LIVE
from webapp.services.verifying.findings import Findings
from webapp.services.verifying.leaves import NOT_TOLD
from webapp.wording import said

NO_ENTRY = said("no entry of the record stands for it")
OTHER_REVIEW = said("the decision is not the one on the record")
OTHER_OUTCOME = said("the outcome is not the one on the record")
OTHER_STATE = said("the state is not the one on the record")
OTHER_LIVE = said("the version that answers is not the one made live on the record")
CHUNK = 500


def check(connection: Connection, findings: Findings) -> None:
    """Note what disagrees."""
    _strangers(connection, findings)
    _erasures(connection, findings)
    _notes(connection, findings, Review, "review")
    _notes(connection, findings, Outcome, "outcome")
    _latest(connection, findings)
    _holds(connection, findings)
    _live(connection, findings)


def _strangers(connection: Connection, findings: Findings) -> None:
    """Records and events that no leaf stands for. Counting first: looking for them costs a look for each."""
    for table, kinds in ((Prediction, Leaf.kind == "prediction"), (Event, Leaf.kind != "prediction")):
        rows = connection.scalar(select(func.count()).select_from(table)) or 0
        leaves = connection.scalar(select(func.count()).select_from(Leaf).where(kinds)) or 0
        if rows == leaves:
            continue
        alone = select(table.id).where(~select(Leaf.seq).where(Leaf.record_id == table.id).exists())
        for name in connection.scalars(alone):
            findings.blame(None, name, NO_ENTRY)


def _told(facts: str | None) -> dict[str, Any]:
    """What an event says; nothing where that cannot be read, for which its leaf is blamed."""
    try:
        told = orjson.loads(facts or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _erasures(connection: Connection, findings: Findings) -> None:
    """Whatever was erased is named by an erasure."""
    named: set[str] = set()
    for facts in connection.scalars(select(Event.facts).where(Event.kind == "erasure")):
        told = _told(facts)
        named.update(told.get("records", []), told.get("events", []))
    gone = select(Prediction.id).where(Prediction.state == "erased")
    empty = select(Event.id).where(Event.facts.is_(None))
    for names in (gone, empty):
        for name in connection.scalars(names):
            if name not in named:
                findings.blame(None, name, NOT_TOLD)


def _notes(
    connection: Connection, findings: Findings, table: type[Review] | type[Outcome], kind: str
) -> None:
    """Reviews or outcomes, each against its event."""
    what = OTHER_REVIEW if kind == "review" else OTHER_OUTCOME
    seen = 0
    for row, event, record_id, state in _noted(connection, table):
        seen += 1
        try:
            agrees = _note_agrees(row, event, _told(event.facts), record_id, state)
        except (ValueError, LookupError, TypeError, AttributeError):
            agrees = False
        if not agrees:
            findings.blame(None, record_id, what)
    events = connection.scalar(select(func.count()).select_from(Event).where(Event.kind == kind)) or 0
    if seen != events:
        known = select(table.event_id)
        for name in connection.scalars(select(Event.id).where(Event.kind == kind, Event.id.not_in(known))):
            findings.blame(None, name, what)
        alone = table.event_id.not_in(select(Event.id).where(Event.kind == kind))
        for name in connection.scalars(
            select(Prediction.id).join(table, table.prediction_seq == Prediction.seq).where(alone)
        ):
            findings.blame(None, name, NO_ENTRY)


def _noted(
    connection: Connection, table: type[Review] | type[Outcome]
) -> Iterator[tuple[Any, Any, str, str]]:
    after = 0
    while True:
        rows = connection.execute(
            select(table.__table__, Event.id.label("event"), Event.facts, Event.at_us.label("at"))
            .add_columns(Event.user_id.label("by"), Prediction.id.label("record"), Prediction.state)
            .add_columns(
                Prediction.created_us, Prediction.model_id.label("of"), Prediction.version_id.label("v")
            )
            .join(Event, Event.id == table.event_id)
            .join(Prediction, Prediction.seq == table.prediction_seq)
            .where(table.seq > after)
            .order_by(table.seq)
            .limit(CHUNK)
        ).all()
        if not rows:
            return
        for row in rows:
            yield row, row, row.record, row.state
        after = rows[-1].seq


def _note_agrees(row: Any, event: Any, facts: dict[str, Any], record_id: str, state: str) -> bool:
    if (facts.get("record"), event.by, event.at) != (record_id, row.user_id, row.at_us):
        return False
    if "label" in row._fields and (row.predicted_us, row.model_id, row.version_id) != (
        event.created_us,
        event.of,
        event.v,
    ):
        return False
    if any(facts[name] != getattr(row, name) for name in ("action", "source", "verdict") if name in facts):
        return False
    if row.note is None or row.salt is None:
        return row.note is None and row.salt is None and state == "erased"
    if hmac.digest(row.salt, row.note.encode(), "sha256").hex() != facts.get("note"):
        return False
    if "label" not in row._fields:
        return True
    actual = orjson.loads(row.note)["actual"]
    return bool(actual == (row.value if row.label is None else row.label))


def _latest(connection: Connection, findings: Findings) -> None:
    """What records say of their latest review and outcome."""
    for table, shown, column, what in (
        (Review, Prediction.review, Review.action, OTHER_REVIEW),
        (Outcome, Prediction.outcome, Outcome.verdict, OTHER_OUTCOME),
    ):
        last = select(func.max(table.seq)).group_by(table.prediction_seq)
        told = (
            select(Prediction.id)
            .join(table, table.prediction_seq == Prediction.seq)
            .where(table.seq.in_(last), shown.is_distinct_from(column))
        )
        silent = select(Prediction.id).where(
            shown.is_not(None), ~select(table.seq).where(table.prediction_seq == Prediction.seq).exists()
        )
        wrong = [told, silent]
        if table is Outcome:
            wrong.append(
                select(Prediction.id)
                .join(Outcome, Outcome.prediction_seq == Prediction.seq)
                .where(Outcome.latest != Outcome.seq.in_(last))
            )
        for names in wrong:
            for name in connection.scalars(names):
                findings.blame(None, name, what)


def _holds(connection: Connection, findings: Findings) -> None:
    """A record is restricted exactly while a hold stands, which an event put there."""
    standing = select(Hold.seq).where(Hold.prediction_seq == Prediction.seq, Hold.lifted_us.is_(None))
    for wrong in (
        select(Prediction.id).where(Prediction.state == "restricted", ~standing.exists()),
        select(Prediction.id).where(
            Prediction.state != "restricted",
            Prediction.seq.in_(select(Hold.prediction_seq).where(Hold.lifted_us.is_(None))),
        ),
        select(Prediction.id)
        .join(Hold, Hold.prediction_seq == Prediction.seq)
        .where(Hold.event_id.not_in(select(Event.id).where(Event.kind == "restriction"))),
    ):
        for name in connection.scalars(wrong):
            findings.blame(None, name, OTHER_STATE)


def _live(connection: Connection, findings: Findings) -> None:
    """The version that answers is the last one that an event made live."""
    made: dict[str, int] = {}
    for facts in connection.scalars(
        select(Event.facts).where(Event.kind.in_(LIVE_KINDS)).order_by(Event.seq)
    ):
        told = _told(facts)
        if told.get("live"):
            made[told.get("model", "")] = told.get("version", 0)
    rows = connection.execute(
        select(Model.name, ModelVersion.number)
        .join(Alias, Alias.model_id == Model.id)
        .join(ModelVersion, ModelVersion.id == Alias.version_id)
        .where(Alias.name == LIVE)
    )
    for name, number in rows:
        if name in made and made[name] != number:
            findings.blame(None, name, OTHER_LIVE)


#: Events whose facts say, with `live`, that a version answers from then on.
LIVE_KINDS = ("publish", "promote", "rollback")
