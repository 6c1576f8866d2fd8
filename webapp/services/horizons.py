"""How far something that follows the record has come."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.db import Horizon

#: Time in microseconds UTC: what was asked before it is erased by the rule of retention, or held.
RETAINED = "retained"


def horizon(current: Session, name: str) -> int:
    """Where a horizon stands; 0 before it was first moved."""
    return current.scalar(select(Horizon.seq).where(Horizon.name == name)) or 0


def advance(s: Session, name: str, start: int, end: int) -> bool:
    """Move a horizon from `start` to `end`, in the caller's transaction; false where somebody else has."""
    moved = update(Horizon).where(Horizon.name == name, Horizon.seq == start).values(seq=end)
    if s.connection().execute(moved).rowcount:
        return True
    if start:
        return False
    first = insert(s)(Horizon).values(name=name, seq=end).on_conflict_do_nothing()
    return s.connection().execute(first.returning(Horizon.seq)).first() is not None


def insert(s: Session) -> Any:
    """The INSERT of this database, which knows ON CONFLICT."""
    return (postgresql if s.get_bind().dialect.name == "postgresql" else sqlite).insert
