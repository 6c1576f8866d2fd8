"""Erasures, restrictions and the rule of retention, held against the events that made them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from webapp.db import Event, Hold, Prediction, Retention
from webapp.db.keeping import FLOOR_DAYS
from webapp.services.verifying.agreement import events
from webapp.services.verifying.findings import Findings
from webapp.services.verifying.leaves import NOT_TOLD
from webapp.wording import said

OTHER_STATE = said("the state is not the one on the record")
OTHER_ERASURE = said("the erasure it points to is not the one on the record")
OTHER_RULE = said("the rule of retention is not the one on the record")


def check(connection: Connection, findings: Findings, good: Collection[str]) -> None:
    """Note what disagrees."""
    _erasures(connection, findings, good)
    _holds(connection, findings, good)
    _rule(connection, findings, good)


def _erasures(connection: Connection, findings: Findings, good: Collection[str]) -> None:
    """Whatever was erased is named by an erasure, and points to the last one that names it."""
    by: dict[str, int] = {}
    events_gone: set[str] = set()
    for told in events.of(connection, good, "erasure"):
        by.update(dict.fromkeys(told.facts.get("records", []), told.seq))
        events_gone.update(told.facts.get("events", []))
    rows = connection.execute(
        select(Prediction.id, Prediction.erasure).where(
            Prediction.state != "active", Prediction.state == "erased"
        )
    )
    for name, erasure in rows:
        if name not in by:
            findings.blame(None, name, NOT_TOLD)
        elif by[name] != erasure:
            findings.blame(None, name, OTHER_ERASURE)
    for name in connection.scalars(select(Event.id).where(Event.facts.is_(None))):
        if name not in events_gone:
            findings.blame(None, name, NOT_TOLD)


def _holds(connection: Connection, findings: Findings, good: Collection[str]) -> None:
    """A record is restricted exactly from a restriction to its end, and the row says what the event does."""
    standing: dict[str, events.Spoken] = {}
    for told in events.of(connection, good, "restriction", "restriction-lifted"):
        for name in told.facts.get("records", []):
            if "until_us" in told.facts:
                standing[name] = told
            else:
                standing.pop(name, None)
    rows = connection.execute(
        select(Prediction.id, Hold.event_id, Hold.at_us, Hold.user_id, Hold.reason, Hold.until_us)
        .join(Prediction, Prediction.seq == Hold.prediction_seq)
        .where(Hold.lifted_us.is_(None))
    )
    held = {row.id: tuple(row)[1:] for row in rows}
    marked = set(
        connection.scalars(
            select(Prediction.id).where(Prediction.state != "active", Prediction.state == "restricted")
        )
    )
    for name in sorted(standing.keys() | held.keys() | marked):
        told_by = standing.get(name)
        due = told_by and (
            told_by.id,
            told_by.at_us,
            told_by.user_id,
            told_by.facts.get("reason"),
            told_by.facts["until_us"],
        )
        if held.get(name) != due or (name in marked) != (due is not None):
            findings.blame(None, name, OTHER_STATE)


def _rule(connection: Connection, findings: Findings, good: Collection[str]) -> None:
    """The rule is the last one that was set."""
    due: dict[str, int | None] = {"days": None, "floor_days": FLOOR_DAYS}
    for told in events.of(connection, good, "retention-changed"):
        due = told.facts.get("to", due)
    for row in connection.execute(select(Retention.days, Retention.floor_days)):
        if dict(row._mapping) != due:
            findings.blame(None, "", OTHER_RULE)
