"""Proofs to take away: that a record is in the tree, and that one checkpoint goes on from another.

Their form is in docs/reference/proofs.md; tools/verify_record.py reads it.
"""

from __future__ import annotations

import base64
from typing import Any

from sqlalchemy import Select, select

from webapp.db import Event, Leaf, Outcome, Prediction, Review, Tile
from webapp.db.base import session, snapshot
from webapp.errors import Conflict, NotAllowed, NotFound
from webapp.services import history, sealing
from webapp.services.people import Actor
from webapp.services.sealing import Seals
from webapp.services.sealing.tree import HASH, WIDTH
from webapp.wording import said

INCLUSION, CONSISTENCY = "parecer-proof-1", "parecer-consistency-1"
NOT_HERE = said("There is no such event.")


def of_prediction(seals: Seals, actor: Actor, record_id: str, size: int | None = None) -> dict[str, Any]:
    """The proof of one record, with all that was committed to, against the newest checkpoint or that of `size` leaves.

    Raises NotFound as the record itself does, and for a size of no checkpoint, and Conflict while it is not sealed,
    or was not by then.
    """
    history.get(actor, record_id)
    current = snapshot()
    row = current.execute(
        select(Prediction.inputs, Prediction.output, Prediction.salts).where(Prediction.id == record_id)
    ).one()
    salts = None if row.salts is None else row.salts.hex()
    return _proof(seals, record_id, size) | {"inputs": row.inputs, "output": row.output, "salts": salts}


def of_event(seals: Seals, actor: Actor, event_id: str, size: int | None = None) -> dict[str, Any]:
    """The same of one event; raises NotAllowed, NotFound, Conflict."""
    if not actor.sees_all:
        raise NotAllowed(said("Only auditors and admins see what others do."))
    current = snapshot()
    event = current.scalar(select(Event).where(Event.id == event_id)) if event_id.isprintable() else None
    if event is None:
        raise NotFound(NOT_HERE)
    proof = _proof(seals, event_id, size)
    return proof | parts(event.kind, event.id, event.facts, event.salt)


def parts(kind: str, event_id: str, facts: str | None, salt: bytes | None) -> dict[str, Any]:
    """What an event's leaf commits to: its facts, and the note of a review or outcome."""
    found: dict[str, Any] = {"facts": facts, "salt": None if salt is None else salt.hex()}
    if kind in ("review", "outcome"):
        table: type[Review] | type[Outcome] = Review if kind == "review" else Outcome
        noted = session().execute(select(table.note, table.salt).where(table.event_id == event_id)).first()
        found["note"] = noted.note if noted else None
        found["note_salt"] = noted.salt.hex() if noted and noted.salt else None
    return found


def consistency(seals: Seals, first: int, second: int) -> dict[str, Any]:
    """The proof that the tree of `second` leaves begins with that of `first`; raises NotFound."""
    snapshot()
    earlier, later = sealing.at_size(first), sealing.at_size(second)
    if earlier is None or later is None or first > second:
        raise NotFound(said("There is no checkpoint of that size, or the first is the larger one."))
    path = sealing.prover().consistency(first, second)
    return {
        "format": CONSISTENCY,
        "from": earlier.note,
        "to": later.note,
        "path": _joined(path),
        "keys": [key.text() for key in seals.keys.known()],
    }


def index(seq: int, digest: bytes) -> int | None:
    """Where the leaf of that number and hash is in the tree; None while it is not sealed, or where it is another."""
    tile = session().execute(_holding(seq)).first()
    at = None if tile is None else _find(tile.hashes, digest)
    return None if tile is None or at is None else int(tile.number) * WIDTH + at


def is_sealed(seq: int) -> bool:
    """Whether the tree goes as far as the leaf of that number."""
    return sealing.log().last_seq >= seq or session().execute(_holding(seq)).first() is not None


def _holding(seq: int) -> Select[int, bytes]:
    there = select(Tile.number, Tile.hashes).where(Tile.level == 0, Tile.last_seq >= seq)
    return there.order_by(Tile.last_seq).limit(1)


def _proof(seals: Seals, record_id: str, size: int | None) -> dict[str, Any]:
    columns = (Leaf.seq, Leaf.hash, Leaf.canonical)
    leaf = session().execute(select(*columns).where(Leaf.record_id == record_id)).first()
    at = None if leaf is None else index(leaf.seq, leaf.hash)
    against = sealing.newest() if size is None else sealing.at_size(size)
    if leaf is None or at is None or (against is None and size is None):
        raise Conflict(said("This is not sealed yet, which takes some seconds; try again in a moment."))
    if against is None:
        raise NotFound(said("There is no checkpoint of {n} entries.", n=size))
    if at >= against.size:
        raise Conflict(
            said("This came after the first {n} entries; take a later checkpoint.", n=against.size)
        )
    return {
        "format": INCLUSION,
        "id": record_id,
        "leaf": leaf.canonical,
        "index": at,
        "path": _joined(sealing.inclusion(at, against.size)),
        "checkpoint": against.note,
        "keys": [key.text() for key in seals.keys.known()],
    }


def _find(hashes: bytes, wanted: bytes) -> int | None:
    at = hashes.find(wanted)
    while at >= 0 and at % HASH:  # across two hashes
        at = hashes.find(wanted, at + 1)
    return None if at < 0 else at // HASH


def _joined(path: list[bytes]) -> str:
    return base64.b64encode(b"".join(path)).decode()
