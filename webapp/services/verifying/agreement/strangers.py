"""Rows that no leaf stands for, leaves out of reach, and a database that is not made as it was."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, or_, select, text

from webapp.db import Event, Leaf, Outcome, Prediction, Review
from webapp.services import sealing
from webapp.services.verifying.findings import MOST_NAMED, Findings
from webapp.wording import said

NO_ENTRY = said("no entry of the record stands for it")
UNIQUE = ((Leaf, "record_id"), (Prediction, "id"), (Event, "id"), (Review, "event_id"), (Outcome, "event_id"))
#: Of PostgreSQL: what could change a row on its way in or out.
HOOKS = text(
    "SELECT tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE NOT tgisinternal AND n.nspname = current_schema() "
    "UNION ALL SELECT rulename FROM pg_rules WHERE schemaname = current_schema()"
)


def check(connection: Connection, findings: Findings) -> None:
    """Note what is there and should not be."""
    _schema(connection, findings)
    beyond = select(Leaf.record_id).where(or_(Leaf.seq <= 0, Leaf.seq > sealing.LAST)).limit(MOST_NAMED)
    for name in connection.scalars(beyond):
        findings.blame(None, name, said("the entry has a number that is never given out"))
    for table, same in (
        (Prediction, Leaf.kind == "prediction"),
        (Event, (Leaf.kind == Event.kind) & (Leaf.kind != "prediction")),
    ):
        own = select(Leaf.seq).where(Leaf.record_id == table.id, same).exists()
        for name in connection.scalars(select(table.id).where(~own)):
            findings.blame(None, name, NO_ENTRY)


def _schema(connection: Connection, findings: Findings) -> None:
    """Tables, and nothing that shows or stores something else than they hold."""
    found = inspect(connection)
    hooks = [*found.get_view_names(), *found.get_temp_view_names()]
    if connection.dialect.name == "sqlite":
        triggers = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        hooks += connection.scalars(triggers).all()
    else:
        hooks += connection.scalars(HOOKS).all()
    for name in hooks:
        findings.blame(None, str(name), said("the database has a view, trigger or rule that is not ours"))
    for table, column in UNIQUE:
        name = table.__tablename__
        keys: list[list[str | None]] = [
            list(key["column_names"]) for key in found.get_unique_constraints(name)
        ]
        keys += [list(index["column_names"]) for index in found.get_indexes(name) if index["unique"]]
        if [column] not in keys:
            findings.blame(
                None, name, said("the database does not keep {column} unique any more", column=column)
            )
