"""The same batch again for who sends it again, by an idempotency key."""

from __future__ import annotations

from typing import NamedTuple

import orjson
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.db import IdempotencyKey
from webapp.db.base import session
from webapp.errors import Conflict, KeyReused
from webapp.wording import said


class Key(NamedTuple):
    """What a request may be sent again with, and the hash of what must be the same then, hex."""

    text: str
    fingerprint: str


class Taken(Exception):
    """Another request with the same key has come first, and has become `job_id`."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id


def earlier(user_id: int, key: Key) -> str | None:
    """The batch that a key led to before; raises KeyReused where it was used with another request, Conflict."""
    session().rollback()
    kept = IdempotencyKey.user_id == user_id, IdempotencyKey.key == key.text
    found = (
        session().execute(select(IdempotencyKey.fingerprint, IdempotencyKey.record_ids).where(*kept)).first()
    )
    session().rollback()
    if found is None:
        return None
    if not found.fingerprint:
        raise Conflict(said("What this Idempotency-Key led to was erased; use a new key."))
    if found.fingerprint != key.fingerprint:
        raise KeyReused(said("This Idempotency-Key was used with another request; use a new key."))
    return str(orjson.loads(found.record_ids)[0])


def remember(current: Session, user_id: int, key: Key, job_id: str, now: int) -> None:
    """Note in the transaction of a batch what its key leads to; raises Taken, and what `earlier` raises."""
    row = {"user_id": user_id, "key": key.text, "fingerprint": key.fingerprint, "created_us": now}
    try:
        current.execute(insert(IdempotencyKey).values(record_ids=orjson.dumps([job_id]).decode(), **row))
    except IntegrityError:
        first = earlier(user_id, key)
        if first is None:  # let go of in between
            raise
        raise Taken(first) from None
