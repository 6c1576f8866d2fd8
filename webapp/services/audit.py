"""What makes the record evidence: commitments to the personal parts, and leaves that hold no personal data.

A leaf is SHA-256(0x00 ‖ canonical bytes), RFC 6962 §2.1. The canonical bytes are UTF-8 JSON with sorted keys, no
spaces, integers and strings only. Personal parts enter as HMAC-SHA256 under 32 random bytes of their own, so that
erasing part and key leaves a commitment to nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping

import orjson
from sqlalchemy.orm import Session

from webapp.db.audit import Event, Leaf
from webapp.db.commits import Writer
from webapp.services.clock import new_id, now_us

SALT_BYTES = 32
#: Of the leaves written now. Format 1 had no `about` in events, and no `cached`, `engine`, `timings` in predictions.
FORMAT = 2


def commitment(salt: bytes, text: bytes) -> str:
    """HMAC-SHA256 of `text` under `salt`, hex."""
    return hmac.digest(salt, text, hashlib.sha256).hex()


def append(
    session: Session, kind: str, user_id: int | None, facts: Mapping[str, object], *, about: int | None = None
) -> str:
    """As `put`; returns the id of the event."""
    return put(session, kind, user_id, facts, about=about).id


def put(
    session: Session, kind: str, user_id: int | None, facts: Mapping[str, object], *, about: int | None = None
) -> Event:
    """Put an event on the record, inside the caller's transaction; returns it. `facts` must be JSON.

    `user_id` is who did it, `about` the account it happened to, by which it can be found.
    """
    event_id, at, salt = new_id("evt"), now_us(), os.urandom(SALT_BYTES)
    text = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
    event = Event(id=event_id, kind=kind, at_us=at, user_id=user_id, facts=text.decode(), salt=salt)
    event.about_id = about
    session.add(event)
    head = orjson.dumps(
        {
            "about": about or 0,
            "at": at,
            "facts": commitment(salt, text),
            "format": FORMAT,
            "id": event_id,
            "kind": kind,
            "user": user_id or 0,
        },
        option=orjson.OPT_SORT_KEYS,
    )[:-1]
    # A series per event: it is never known here whether the caller's transaction will commit.
    writer = Writer()
    canonical, digest = writer.leaf(head, 0)
    session.add(
        Leaf(record_id=event_id, kind=kind, canonical=canonical, hash=digest, writer=writer.id, writer_seq=0)
    )
    return event
