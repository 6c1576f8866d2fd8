"""The whole record as lines that tools/verify_record.py reads: every leaf, what it commits to, every checkpoint.

Their form is in docs/reference/proofs.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select

from webapp.db import Checkpoint, Event, Leaf, Prediction
from webapp.db.base import session, snapshot
from webapp.errors import NotReady
from webapp.services import sealing
from webapp.services.sealing import proofs
from webapp.services.sealing.keys import Keyring
from webapp.wording import said

FORMAT = "parecer-export-1"
CHUNK = 1_000


def lines(keys: Keyring, *, personal: bool = True) -> Iterator[bytes]:
    """Lines of JSON up to the newest checkpoint, without inputs, answers and facts unless `personal`.

    Raises NotReady while nothing is sealed.
    """
    snapshot()
    log, newest = sealing.log(), sealing.newest()
    if newest is None:
        raise NotReady(said("Nothing is sealed yet; try again in a moment."))
    head = {
        "format": FORMAT,
        "origin": log.origin,
        "size": newest.size,
        "keys": [key.text() for key in keys.known()],
        "personal": personal,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    yield _line(head)
    last, after, size = log.last_seq, 0, 0
    marks = _checkpoints()
    mark = next(marks, None)
    while rows := _leaves(after, last, personal):
        for row in rows:
            size += 1
            yield _line(_entry(row, personal))
            if mark is not None and mark.size == size:
                yield _line({"checkpoint": mark.note})
                mark = next(marks, None)
        after = rows[-1].seq
        session().rollback()  # a slow reader must not hold a snapshot; what was sealed does not change
        time.sleep(sealing.BREATH)


def _leaves(after: int, last: int, personal: bool) -> list[Any]:
    columns: list[Any] = [Leaf.seq, Leaf.record_id, Leaf.kind, Leaf.canonical]
    found = select(*columns)
    if personal:
        found = (
            select(*columns, Prediction.inputs, Prediction.output, Prediction.salts, Event.facts, Event.salt)
            .outerjoin(Prediction, Prediction.id == Leaf.record_id)
            .outerjoin(Event, Event.id == Leaf.record_id)
        )
    found = found.where(Leaf.seq > after, Leaf.seq <= last).order_by(Leaf.seq).limit(CHUNK)
    return list(session().execute(found).all())


def _entry(row: Any, personal: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"leaf": row.canonical}
    if not personal:
        return entry
    if row.kind == "prediction":
        salts = None if row.salts is None else row.salts.hex()
        return entry | {"inputs": row.inputs, "output": row.output, "salts": salts}
    return entry | proofs.parts(row.kind, row.record_id, row.facts, row.salt)


def _checkpoints() -> Iterator[Any]:
    after = 0
    while (
        rows := session()
        .execute(
            select(Checkpoint.size, Checkpoint.note)
            .where(Checkpoint.size > after)
            .order_by(Checkpoint.size)
            .limit(500)
        )
        .all()
    ):
        yield from rows
        after = rows[-1].size


def _line(entry: dict[str, Any]) -> bytes:
    return orjson.dumps(entry) + b"\n"
