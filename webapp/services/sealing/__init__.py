"""Sealing: leaves become part of a tree whose root is signed, so that none can be changed, added or taken away unseen.

The order of the tree is that of `leaves.seq`. Predictions wait for nothing of this but a short transaction.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.db import Checkpoint, Leaf, Log, Tile
from webapp.db.base import leader, session, transaction
from webapp.db.changes import wait_for_leaves
from webapp.errors import Conflict
from webapp.services import audit
from webapp.services.clock import now_us
from webapp.services.sealing import notes
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Unsound
from webapp.services.sealing.tree import HASH, WIDTH, Edge, Place, Prover, around, edge_places
from webapp.wording import said

#: Leaves sealed with one checkpoint, at most; some 30 ms of work.
MOST = 10_000
#: So many are not kept waiting.
ENOUGH = 4_000
#: Seconds between two of them: others of this process have their turn.
BREATH = 1e-6
LONGEST_TROUBLE = 300
#: No database gives out a larger number by itself.
LAST = 2**62


@dataclass(frozen=True, slots=True)
class Sealed:
    """The newest checkpoint; `at_us` is microseconds UTC, `note` the text that was signed."""

    origin: str
    size: int
    root: bytes
    at_us: int
    note: str

    @property
    def checkpoint(self) -> notes.Checkpoint:
        """What it says, which its note has to say too."""
        return notes.Checkpoint(self.origin, self.size, self.root)


class Broken(Exception):
    """What is in the database is not what was sealed before, so that nothing more is signed; says why."""


@dataclass(slots=True)
class Seals:
    """What one process needs for sealing: the keys, and how often it is done, in seconds."""

    keys: Keyring
    every: float = 2.0


def key_name(origin: str) -> str:
    """The name that keys of a log have: its origin without the number of a restore."""
    return "/".join(origin.split("/")[:2])


def seal(keys: Keyring) -> int:
    """Seal every leaf there is now; returns how many were sealed here.

    Whoever comes second leaves it to the first. Raises Broken, OSError (the key cannot be read or kept).
    """
    sealed = 0
    with leader() as led:
        if not led:
            return 0
        last = last_leaf()
        while (part := _seal_some(keys, last)) > 0:
            sealed += part
            time.sleep(BREATH)
    return sealed


def rotate(keys: Keyring) -> Sealed:
    """Make a new key; the next checkpoint is signed by the old one too, which is then forgotten.

    Raises Conflict where somebody seals right now, Broken, OSError.
    """
    with leader() as led:
        if not led:
            raise Conflict(said("The record is being sealed right now; try again in a moment."))
        origin = log().origin
        new, before = keys.rotate(key_name(origin))
        facts = {"key": new.key.text(), "before": before.key.text() if before else ""}
        with transaction() as current:
            audit.append(current, "seal-key", None, facts)
        last = last_leaf()
        while _seal_some(keys, last):
            pass
        keys.rotated()
    found = newest()
    assert found is not None  # noqa: S101 - the event above has been sealed
    return found


def seal_and_tell(keys: Keyring) -> int:
    """As `seal`; what stands in the way is kept where the audit page shows it, and raised."""
    try:
        sealed = seal(keys)
    except (Broken, Unsound, OSError) as error:
        _note(error.strerror or "" if isinstance(error, OSError) else str(error))
        raise
    _note("")
    return sealed


def _note(trouble: str) -> None:
    session().rollback()
    if log().trouble != trouble[:LONGEST_TROUBLE]:
        with transaction() as current:
            current.execute(update(Log).values(trouble=trouble[:LONGEST_TROUBLE]))


def newest() -> Sealed | None:
    """The newest checkpoint; None while there is none."""
    row = session().scalar(select(Checkpoint).order_by(Checkpoint.size.desc()).limit(1))
    return None if row is None else _sealed(row)


def at_size(size: int) -> Sealed | None:
    """The checkpoint over so many leaves; None where none was made."""
    row = session().get(Checkpoint, size)
    return None if row is None else _sealed(row)


def covering(place: int) -> Sealed | None:
    """The first checkpoint that speaks for the leaf at `place`."""
    later = select(Checkpoint).where(Checkpoint.size > place).order_by(Checkpoint.size).limit(1)
    row = session().scalar(later)
    return None if row is None else _sealed(row)


def as_signed(sealed: Sealed) -> bool:
    """Whether a checkpoint says what its note says."""
    try:
        return notes.read(sealed.note).checkpoint == sealed.checkpoint
    except Unsound:
        return False


def recent(most: int) -> list[Sealed]:
    """The newest checkpoints, newest first."""
    rows = session().scalars(select(Checkpoint).order_by(Checkpoint.size.desc()).limit(most))
    return [_sealed(row) for row in rows]


def log() -> Log:
    """How far the tree goes."""
    return session().scalars(select(Log)).one()


def due(every: float) -> bool:
    """Whether it is time to seal: something waits, and so much of it or for `every` seconds since the last time."""
    session().rollback()
    n = waiting()
    if not n:
        return bool(log().trouble)  # which may be over
    at_us = session().scalar(select(func.max(Checkpoint.at_us))) or 0
    return n > ENOUGH or abs(now_us() - at_us) >= every * 1_000_000  # a clock may be set back


def waiting() -> int:
    """How many leaves are not sealed yet, at most: numbers that were never used count too."""
    return max((session().scalar(select(func.max(Leaf.seq))) or 0) - log().last_seq, 0)


def prover() -> Prover:
    """Proofs out of the tiles of this database."""
    return Prover(_tile)


def inclusion(place: int, size: int) -> list[bytes]:
    """The path from the leaf at `place` to the root over the first `size`; all tiles of it are read at once."""
    columns = (Tile.level, Tile.number, Tile.hashes)
    here = [and_(Tile.level == level, Tile.number == number) for level, number in around(place, size)]
    rows = session().execute(select(*columns).where(or_(*here)))
    return Prover(_tile, {(row.level, row.number): row.hashes for row in rows}).inclusion(place, size)


def last_leaf() -> int:
    """The newest leaf before which none can appear any more."""
    current = session()
    current.rollback()
    wait_for_leaves(current)
    last = current.scalar(select(func.max(Leaf.seq))) or 0
    current.rollback()
    return int(last)


def _seal_some(keys: Keyring, last: int) -> int:
    current = session()
    current.rollback()
    start = log()
    size, origin = start.size, start.origin
    rows = current.execute(
        select(Leaf.seq, Leaf.hash)
        .where(Leaf.seq > start.last_seq, Leaf.seq <= last)
        .order_by(Leaf.seq)
        .limit(MOST)
    ).all()
    if not rows:
        current.rollback()
        return 0
    if any(len(row.hash) != HASH for row in rows) or not 0 < rows[-1].seq <= LAST:
        raise Broken("an entry has a hash that is none, or a number that is never given out")
    edge = Edge(size, [_tile(place) for place in edge_places(size)])
    _hold_against(keys, origin, size, edge.root())
    changed = edge.extend([row.hash for row in rows])
    current.rollback()
    name = key_name(origin)
    signers = [s for s in (keys.signer(name), keys.before(name)) if s is not None]
    made = notes.Checkpoint(origin, edge.size, edge.root())
    note = notes.sign(made, *signers)
    keys.remember(note)  # first: what was signed may not be forgotten, whatever becomes of the transaction
    lasts = {n: rows[min((n + 1) * WIDTH, edge.size) - 1 - size].seq for level, n in changed if level == 0}
    with transaction() as s:
        moved = update(Log).where(Log.size == size, Log.origin == origin)
        if not s.connection().execute(moved.values(size=edge.size, last_seq=rows[-1].seq)).rowcount:
            raise Broken("somebody else has sealed at the same time")
        s.connection().execute(_upsert(s), [_row(place, changed[place], lasts) for place in changed])
        s.add(Checkpoint(size=made.size, at_us=now_us(), root=made.root, note=note))
    return len(rows)


def _hold_against(keys: Keyring, origin: str, size: int, root: bytes) -> None:
    """Raises Broken where the tree so far is not the one that was signed last."""
    kept = keys.newest()
    if not kept:
        _hold_against_database(keys, size, root)
        return
    try:
        signed = notes.read(kept).checkpoint
    except Unsound as error:
        raise Broken(f"what was signed last cannot be read: {error}") from None
    if signed.origin != origin:
        raise Broken(f"the key has signed for the log {signed.origin}, and this is {origin}")
    if signed.size > size:
        # It may have been signed, and the transaction lost; then these leaves are there, in this order.
        _hold_against_future(signed, size)
    elif (root if signed.size == size else prover().root(signed.size)) != signed.root:
        raise Broken(f"the first {signed.size} entries are not those that were signed")


def _hold_against_database(keys: Keyring, size: int, root: bytes) -> None:
    """What the key has signed last is not remembered: then the newest checkpoint in the database has to do."""
    there = newest()
    if not size and there is None:
        return
    if there is None or (there.size, there.root) != (size, root):
        raise Broken("what was signed last is not kept with the key any more, nor is it in the database")
    try:
        signed = notes.read(there.note)
        if signed.checkpoint != notes.Checkpoint(there.origin, size, root) or not signed.by(keys.known()):
            raise Unsound("it is not signed by a key that is kept here")
    except Unsound as error:
        raise Broken(f"the newest checkpoint does not hold: {error}") from None


def _hold_against_future(signed: notes.Checkpoint, size: int) -> None:
    start = log()
    hashes = session().scalars(
        select(Leaf.hash).where(Leaf.seq > start.last_seq).order_by(Leaf.seq).limit(signed.size - size)
    )
    edge = Edge(size, [_tile(place) for place in edge_places(size)])
    edge.extend(list(hashes))
    if edge.size != signed.size:
        raise Broken(
            f"{signed.size} entries were signed, and the database holds {edge.size}: it was put back to an older "
            "state, or entries were taken away"
        )
    if edge.root() != signed.root:
        raise Broken(f"the first {signed.size} entries are not those that were signed")


def _tile(place: Place) -> bytes:
    level, number = place
    found = session().scalar(select(Tile.hashes).where(Tile.level == level, Tile.number == number))
    return found or b""


def _row(place: Place, hashes: bytes, lasts: dict[int, int]) -> dict[str, Any]:
    level, number = place
    return {
        "level": level,
        "number": number,
        "hashes": hashes,
        "last_seq": 0 if level else lasts[number],
    }


def _upsert(s: Session) -> Any:
    insert = (postgresql if s.get_bind().dialect.name == "postgresql" else sqlite).insert
    statement = insert(Tile)
    return statement.on_conflict_do_update(
        index_elements=["level", "number"],
        set_={name: statement.excluded[name] for name in ("hashes", "last_seq")},
    )


def _sealed(row: Checkpoint) -> Sealed:
    return Sealed(row.note.split("\n", 1)[0], row.size, row.root, row.at_us, row.note)


__all__ = [
    "Broken",
    "Sealed",
    "Seals",
    "as_signed",
    "at_size",
    "covering",
    "inclusion",
    "last_leaf",
    "log",
    "newest",
    "rotate",
    "seal",
    "waiting",
]
