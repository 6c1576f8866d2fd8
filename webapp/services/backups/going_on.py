"""How the log goes on after a restore: under its name where nothing that was signed is lost, else under a new one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from webapp.db import Leaf, Log
from webapp.services import audit, sealing
from webapp.services.backups.manifest import Manifest
from webapp.services.sealing import notes
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Checkpoint, Unsound
from webapp.services.sealing.tree import Edge

CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Gone:
    """The log's origin before and after; `signed` is how many entries this installation had signed, if it knows."""

    before: str
    after: str
    entries: int
    signed: int | None

    @property
    def parted(self) -> bool:
        """Whether entries that were signed are lost, or it is not known."""
        return self.before != self.after


def go_on(engine: Engine, keys: Keyring, manifest: Manifest, present: str) -> Gone:
    """Give the log of a restored database its origin, and say on the record that it was restored."""
    with Session(engine) as current, current.begin():
        before = current.scalars(select(Log.origin)).one()
        name = sealing.key_name(before)
        newest = _newest(keys)
        if newest is not None and sealing.key_name(newest.origin) != name:
            newest = None
        entries = current.scalar(select(func.count()).select_from(Leaf)) or 0
        after = before
        if newest is None or newest.origin != before or not _holds(current, newest, entries, manifest):
            origins = (before, newest.origin if newest else "", present)
            after = f"{name}/{max(_number(o) for o in origins if sealing.key_name(o) == name) + 1}"
        gone = Gone(before, after, entries, newest.size if newest else None)
        facts = {
            "from": before,
            "to": after,
            "entries": entries,
            "lost_after": entries if gone.parted else None,
            "signed": gone.signed,
            "backup": manifest.made,
        }
        audit.append(current, "restore", None, facts)
        current.execute(update(Log).values(origin=after, trouble=""))
    return gone


def _newest(keys: Keyring) -> Checkpoint | None:
    """What this installation signed last, if that is known."""
    try:
        return notes.read(keys.newest()).checkpoint
    except Unsound:
        return None


def _holds(current: Session, signed: Checkpoint, entries: int, manifest: Manifest) -> bool:
    """Whether the entries begin with those that were signed."""
    if signed.size > entries:
        return False
    if signed.size == manifest.size:  # which has been verified
        return signed.root == notes.read(manifest.checkpoint).checkpoint.root
    edge, after = Edge(), 0
    while edge.size < signed.size:
        rows = current.execute(
            select(Leaf.seq, Leaf.hash)
            .where(Leaf.seq > after)
            .order_by(Leaf.seq)
            .limit(min(CHUNK, signed.size - edge.size))
        ).all()
        edge.extend([row.hash for row in rows])
        after = rows[-1].seq
    return edge.root() == signed.root


def _number(origin: str) -> int:
    """Which one of a log's origins it is: the first has no number."""
    end = [*origin.split("/"), "1"][2]
    return int(end) if end.isdecimal() else 1
