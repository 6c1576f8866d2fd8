"""The events that a verification may believe: those whose leaves it has found sound, in the order of the tree."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, select

from webapp.db import Event, Leaf


class Spoken(NamedTuple):
    """One of them; `facts` is empty where they were erased."""

    seq: int
    id: str
    at_us: int
    user_id: int | None
    facts: dict[str, Any]


def of(connection: Connection, good: Collection[str], *kinds: str) -> Iterator[Spoken]:
    """Those of some kinds, of which `good` has the ids, oldest first."""
    rows = connection.execute(
        select(Event.seq, Event.id, Event.at_us, Event.user_id, Event.facts)
        .join(Leaf, (Leaf.record_id == Event.id) & (Leaf.kind == Event.kind))
        .where(Event.kind.in_(kinds))
        .order_by(Leaf.seq)
    )
    for row in rows:
        if row.id in good:
            yield Spoken(row.seq, row.id, row.at_us, row.user_id, _facts(row.facts))


def _facts(text: str | None) -> dict[str, Any]:
    try:
        told = orjson.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
