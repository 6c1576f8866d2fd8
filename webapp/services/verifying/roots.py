"""Whatever claims to know the root over so many leaves, held against the tree as it grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from webapp.db import Checkpoint
from webapp.services import sealing
from webapp.services.sealing import notes
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Key, Unsound
from webapp.services.sealing.tree import HASH, Edge
from webapp.services.verifying import restores
from webapp.services.verifying.claims import Claim
from webapp.services.verifying.findings import Begun, Findings, Outside
from webapp.services.verifying.leaves import leniently
from webapp.wording import said

#: Smaller than any number that a database can hold.
BEFORE_ALL = -(2**63)
SOME = 500

OTHER_ENTRIES = said("the entries up to this checkpoint are not those that it was signed for")


def remembered(keys: Keyring) -> str:
    """The newest note that is kept with the key; no note where it cannot be read, and empty where there is none."""
    try:
        return keys.newest()
    except OSError:
        return "unreadable"


class Roots:
    """Stored checkpoints, those from outside, and the note that is kept with the key."""

    def __init__(
        self,
        connection: Connection,
        keys: list[Key],
        newest: str,
        outside: Sequence[Claim],
        found: Findings,
        total: int,
    ) -> None:
        self._connection, self._found = connection, found
        self._keys = keys
        self._claims = sorted(outside, key=lambda claim: claim.size)
        self._restores = restores.of(connection)
        self._remembered = self._kept(newest, total)
        self._signed = self._checkpoints()
        self._next = next(self._signed, None)
        self._newest = 0

    @property
    def unheld(self) -> bool:
        """Whether the note that is kept with the key speaks for more leaves than there have been so far."""
        return self._remembered is not None

    def sizes(self, size: int) -> Iterator[int]:
        """The next sizes beyond `size` at which a root is claimed."""
        if self._next is not None and self._next.size > size:
            yield self._next.size
        if self._claims and self._claims[0].size > size:
            yield self._claims[0].size
        if self._remembered is not None and self._remembered.size > size:
            yield self._remembered.size

    def hold(self, edge: Edge) -> None:
        """Hold all that is claimed of the tree as it is now."""
        size, root = edge.size, b""
        while self._next is not None and self._next.size <= size:
            root = root or edge.root()
            self._checkpoint(self._next, root)
            self._next = next(self._signed, None)
        while self._claims and self._claims[0].size <= size:
            claim = self._claims.pop(0)
            root = root or edge.root()
            self._found.outside.append(self._held(claim, root))
        if self._remembered is not None and self._remembered.size == size:
            if self._remembered.root != (root or edge.root()):
                self._found.blame(size - 1, said("checkpoint of {n} entries", n=size), OTHER_ENTRIES)
            self._remembered = None

    def end(self) -> None:
        """What was claimed of more leaves than are sealed, and whether the newest of them have a checkpoint."""
        found = self._found
        while self._next is not None:
            self._checkpoint(self._next, b"")
            self._next = next(self._signed, None)
        what = said(
            "only {n} entries are sealed here: entries are gone, or it is an older copy", n=found.size
        )
        for claim in self._claims:
            found.outside.append(self._miscounted(claim) or restores.outside(self._restores, claim, what))
        self._claims = []
        if self._newest != found.size:
            found.blame(
                max(found.size - 1, 0),
                "",
                said("no checkpoint speaks for the newest entries that were sealed"),
            )

    def _held(self, claim: Claim, root: bytes) -> Outside:
        if claim.holds(root):
            return Outside(claim.size, True, "")
        if (group := claim.slip(root)) is not None:
            return Outside(
                claim.size,
                False,
                said("nearly the root of these entries: look at group {n} of its digits again", n=group),
                "slip",
            )
        return self._miscounted(claim) or restores.outside(
            self._restores, claim, said("these entries have another root now")
        )

    def _miscounted(self, claim: Claim) -> Outside | None:
        """One typed with the root of another number of entries."""
        if claim.note is not None or len(claim.digits) != 2 * HASH:
            return None
        there = select(Checkpoint.size).where(Checkpoint.root == bytes.fromhex(claim.digits))
        size = self._connection.scalar(there.limit(1))
        if size is None:
            return None
        what = said("this root is that of the first {n} entries: look at their number again", n=size)
        return Outside(claim.size, False, what, "slip")

    def _checkpoint(self, row: Any, root: bytes) -> None:
        what, self._newest = "", row.size
        try:
            note = notes.read(row.note)
            signed = note.checkpoint
            by = note.by(self._keys)
            if sealing.key_name(signed.origin) != sealing.key_name(self._found.origin):
                what = said("the checkpoint is of another log")
            elif (signed.size, signed.root) != (row.size, row.root):
                what = said("the checkpoint is not the one that was signed")
            elif not by:
                what = said("the checkpoint is signed by none of the keys that are kept here")
            elif len(by) != len(note.signatures):
                raise Unsound("one of its signatures is by no key that is kept here")
            elif signed.root != root:
                what = OTHER_ENTRIES
            self._signers(row.size, [k.id.hex() for k in by])
        except Unsound as error:
            what = said("the checkpoint does not hold: {why}", why=str(error))
        if what:
            self._found.blame(row.size - 1, said("checkpoint of {n} entries", n=row.size), what)
        else:
            self._found.checkpoints += 1

    def _signers(self, size: int, by: list[str]) -> None:
        """Where a key is seen first, and whether one that was seen before vouches for it."""
        vouched = not self._found.keys or any(key in self._found.keys for key in by)
        for key in by:
            if key not in self._found.keys:
                self._found.keys.append(key)
                self._found.begun.append(Begun(key, size, vouched))

    def _kept(self, text: str, total: int) -> notes.Checkpoint | None:
        """The newest note that is kept with the key speaks for entries, which may not be sealed here yet."""
        if not text:
            return None
        try:
            signed = notes.read(text).checkpoint
        except Unsound:
            self._found.blame(None, "", said("the checkpoint kept with the sealing key cannot be read"))
            return None
        if signed.size <= total:
            return signed
        what = said(
            "{n} entries were sealed, as the sealing key remembers, and there are {there}: entries are gone, "
            "or it is an older copy",
            n=signed.size,
            there=total,
        )
        self._found.blame(total, "", what)
        return None

    def _checkpoints(self) -> Iterator[Any]:
        after = BEFORE_ALL
        while rows := self._some_checkpoints(after):
            yield from rows
            after = rows[-1].size

    def _some_checkpoints(self, after: int) -> Sequence[Any]:
        some = select(Checkpoint.size, Checkpoint.root, Checkpoint.note).where(Checkpoint.size > after)
        with leniently(self._connection.connection):
            return self._connection.execute(some.order_by(Checkpoint.size).limit(SOME)).all()
