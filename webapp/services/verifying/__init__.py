"""Verifying the record: every leaf, the tree over them, every checkpoint, and what stands beside.

All of it is read in one snapshot, so that it can be done while predictions come in. Without a checkpoint from outside
it shows damage, and forgery by whoever lacks the sealing key; with one, also what somebody with the key has done to
the entries that it covers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError, InvalidRequestError, OperationalError, ProgrammingError

from webapp.db import Checkpoint, Leaf, Log, Tile
from webapp.db.base import session
from webapp.services import sealing
from webapp.services.sealing import notes
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Key, Unsound
from webapp.services.sealing.tree import HASH, WIDTH, Edge, Place
from webapp.services.verifying import agreement, restores
from webapp.services.verifying.claims import Claim
from webapp.services.verifying.findings import Begun, Findings, Outside
from webapp.services.verifying.leaves import Reader, leniently
from webapp.wording import said

__all__ = ["Findings", "Outside", "verify", "verify_in", "verify_on"]

#: Tiles looked at in one go, and leaves whose bare hashing is timed.
TILES, TIMED = 4, 20_000
#: Seconds between two goes: others of this process have their turn.
BREATH = 1e-6
LAST = 2**62
#: No tree has more levels of tiles.
LEVELS = 8

OTHER_ENTRIES = said("the entries up to this checkpoint are not those that it was signed for")

#: Told (done, of how many leaves) now and then; what it raises ends the verification.
Tell = Callable[[int, int], None]


def verify(keys: Keyring, outside: Sequence[Claim] = (), tell: Tell = lambda done, total: None) -> Findings:
    """Look at everything; nothing is written. `outside` are checkpoints that were kept elsewhere."""
    try:
        sealing.last_leaf()  # so that the snapshot has no holes that would be filled later
    except (OperationalError, ProgrammingError):  # no database at all
        raise
    except DBAPIError:  # will be found again
        session().rollback()
    return verify_in(cast(Engine, session().get_bind()), keys, outside, tell)


def verify_in(
    engine: Engine, keys: Keyring, outside: Sequence[Claim] = (), tell: Tell = lambda done, total: None
) -> Findings:
    """As `verify`, in any database, over a connection of its own."""
    level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    nothing = Findings()
    with _damage(engine, nothing), engine.connect().execution_options(**level) as connection:
        return verify_on(connection, keys, outside, tell)
    return nothing  # not even opened


def verify_on(
    connection: Connection,
    keys: Keyring,
    outside: Sequence[Claim] = (),
    tell: Tell = lambda done, total: None,
) -> Findings:
    """As `verify`, of the moment that this connection's transaction reads."""
    begun, found = time.perf_counter(), Findings()
    with _damage(connection.engine, found):
        _Run(connection, keys, list(outside), found, tell).leaves()
    with _damage(connection.engine, found), leniently(connection.connection):
        agreement.check(connection, found)
    if connection.dialect.name == "sqlite":  # what no entry stands for, and indexes
        with _damage(connection.engine, found):
            for line in connection.exec_driver_sql("PRAGMA integrity_check").scalars():
                if line != "ok":
                    found.blame(None, "", _unreadable(line))
    found.seconds = time.perf_counter() - begun
    found.rate = (found.size + found.unsealed) / found.seconds
    return found


@contextmanager
def _damage(engine: Engine, found: Findings) -> Iterator[None]:
    """What keeps the rest from being read is found as well."""
    assert engine.dialect.dbapi is not None  # noqa: S101 - an engine has one
    try:
        yield
    except engine.dialect.dbapi.Error as error:
        found.blame(None, "", _unreadable(error))
    except DBAPIError as error:
        found.blame(None, "", _unreadable(error.orig))
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        InvalidRequestError,
    ) as error:
        found.blame(None, "", _unreadable(f"a value is of no kind that is stored here ({error})"))


def _unreadable(error: object) -> str:
    return said("the database cannot be read: {why}", why=(str(error).splitlines() or [""])[0][:200])


class _Kept(NamedTuple):
    """A tile as it is stored."""

    number: int
    hashes: bytes
    last_seq: int


class _Run:
    """One pass over the leaves in the order of the tree."""

    def __init__(
        self, connection: Connection, keys: Keyring, outside: list[Claim], found: Findings, tell: Tell
    ) -> None:
        self._connection = connection
        self._found, self._tell = found, tell
        self._keys: list[Key] = keys.known()
        with leniently(connection.connection):
            log = connection.execute(select(Log.origin, Log.size, Log.last_seq)).one()
        found.origin, found.size, self._last_seq = log
        self._total = found.size + (
            connection.scalar(select(func.count()).select_from(Leaf).where(Leaf.seq > log.last_seq)) or 0
        )
        self._edge = Edge()
        self._upper: dict[Place, bytes] = {}
        self._claims = sorted(outside, key=lambda claim: claim.size)
        self._restores = restores.of(connection)
        self._remembered: notes.Checkpoint | None = None
        self._kept(keys)
        self._signed = self._checkpoints()
        self._next = next(self._signed, None)
        self._newest = 0
        self._reader = Reader(connection, found)

    def leaves(self) -> None:
        """Verify all leaves, sealed or not, the tree over them and its checkpoints."""
        after = 0
        for tiles in self._stretches():
            rows = self._reader.stretch(after, tiles[-1].last_seq)
            expected = [t.hashes[i : i + HASH] for t in tiles for i in range(0, len(t.hashes), HASH)]
            if self._reader.hashed < TIMED:
                self._reader.time_hashing(rows)
            self._hold(rows, expected)
            self._ends(rows, tiles)
            self._grow(expected)
            after = tiles[-1].last_seq
            self._tell(self._edge.size, self._total)
            time.sleep(BREATH)
        self._end(after)

    def _hold(self, rows: list[tuple[Any, ...]], expected: list[bytes]) -> None:
        """Hold leaves against their places in the tree."""
        start = self._edge.size
        if [row[4] for row in rows] == expected:
            self._reader.check(rows, lambda i: start + i)
            return
        places = {digest: start + i for i, digest in enumerate(expected)}
        self._reader.check(rows, lambda i: places.get(rows[i][4]))
        there = {row[4] for row in rows}
        for digest, index in places.items():
            if digest not in there:
                self._found.blame(index, "", said("the entry that was sealed here is altered or gone"))
        known = [row for row in rows if row[4] in places]
        for row in rows:
            if row[4] not in places:
                self._found.blame(None, row[1], said("the entry is not in the tree"))
        if [places[row[4]] for row in known] != sorted(places[row[4]] for row in known):
            self._found.blame(
                start,
                known[0][1],
                said("entries from here on stand in another order than they were sealed in"),
            )

    def _ends(self, rows: list[tuple[Any, ...]], tiles: list[_Kept]) -> None:
        """Hold what tiles say of their last leaves against these, by which records are found in the tree."""
        seqs, end = {row[4]: row[0] for row in rows}, self._edge.size
        for tile in tiles:
            number = end // WIDTH
            end += len(tile.hashes) // HASH
            if (number, seqs.get(tile.hashes[-HASH:], tile.last_seq)) != (tile.number, tile.last_seq):
                self._found.blame(
                    end - 1, f"0/{tile.number}", said("a tile of the tree ends at another entry")
                )

    def _grow(self, hashes: list[bytes]) -> None:
        """Extend the tree, stopping wherever a root is claimed."""
        taken = 0
        while taken < len(hashes):
            size = self._edge.size
            stop = min([size + len(hashes) - taken, *self._sizes(size)])
            self._upper |= {
                place: tile
                for place, tile in self._edge.extend(hashes[taken : taken + stop - size]).items()
                if place[0]
            }
            taken += stop - size
            self._hold_roots()

    def _sizes(self, size: int) -> Iterator[int]:
        if self._next is not None and self._next.size > size:
            yield self._next.size
        if self._claims and self._claims[0].size > size:
            yield self._claims[0].size
        if self._remembered is not None and self._remembered.size > size:
            yield self._remembered.size

    def _hold_roots(self) -> None:
        size, root = self._edge.size, b""
        while self._next is not None and self._next.size <= size:
            root = root or self._edge.root()
            self._checkpoint(self._next, root)
            self._next = next(self._signed, None)
        while self._claims and self._claims[0].size <= size:
            claim = self._claims.pop(0)
            root = root or self._edge.root()
            self._found.outside.append(self._held(claim, root))
        if self._remembered is not None and self._remembered.size == size:
            if self._remembered.root != (root or self._edge.root()):
                self._found.blame(size - 1, said("checkpoint of {n} entries", n=size), OTHER_ENTRIES)
            self._remembered = None

    def _held(self, claim: Claim, root: bytes) -> Outside:
        if claim.holds(root):
            return Outside(claim.size, True, "")
        if (group := claim.slip(root)) is not None:
            return Outside(
                claim.size,
                False,
                said("nearly the root of these entries: look at group {n} of its digits again", n=group),
            )
        what = said("these entries have another root now")
        return Outside(claim.size, False, restores.told(self._restores, claim, what))

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

    def _end(self, after: int) -> None:
        """What comes after the last tile, and whether all that there should be was there."""
        found = self._found
        if (self._edge.size, after) != (found.size, self._last_seq):
            found.blame(
                min(self._edge.size, found.size),
                "",
                said(
                    "the tree has {there} entries, and {told} were sealed",
                    there=self._edge.size,
                    told=found.size,
                ),
            )
        while self._next is not None:
            self._checkpoint(self._next, b"")
            self._next = next(self._signed, None)
        what = said(
            "only {n} entries are sealed here: entries are gone, or it is an older copy", n=found.size
        )
        for claim in self._claims:
            told = restores.told(self._restores, claim, what)
            found.outside.append(Outside(claim.size, False, told))
        self._claims = []
        if self._newest != found.size:
            found.blame(
                max(found.size - 1, 0),
                "",
                said("no checkpoint speaks for the newest entries that were sealed"),
            )
        self._tiles()
        while rows := self._reader.stretch(after, LAST, TILES * WIDTH):
            self._reader.check(rows, lambda i: None)
            if self._remembered is not None:  # signed, and then the transaction was lost
                self._grow([row[4] for row in rows])
            found.unsealed += len(rows)
            after = rows[-1][0]
        found.bare_rate = self._reader.hashed / self._reader.hashing if self._reader.hashing else 0.0
        self._tell(self._total, self._total)

    def _tiles(self) -> None:
        """Tiles above the lowest are what they were made of."""
        columns = (Tile.level, Tile.number, Tile.hashes, Tile.last_seq)
        stored = self._connection.execute(select(*columns).where(Tile.level != 0))
        kept = {(row.level, row.number): None if row.last_seq else row.hashes for row in stored}
        for place in sorted(kept.keys() | self._upper.keys()):
            if kept.get(place) != self._upper.get(place):
                level, number = place
                what = said("a tile of the tree is not what its entries give")
                index = number * WIDTH ** (level + 1) if 0 < level < LEVELS else None
                self._found.blame(index, f"{level}/{number}", what)

    def _kept(self, keys: Keyring) -> None:
        """The newest note that is kept with the key speaks for entries, which may not be sealed here yet."""
        text = keys.newest()
        if not text:
            return
        try:
            signed = notes.read(text).checkpoint
        except Unsound:
            self._found.blame(None, "", said("the checkpoint kept with the sealing key cannot be read"))
            return
        if signed.size <= self._total:
            self._remembered = signed
        else:
            self._found.blame(
                self._total,
                "",
                said(
                    "{n} entries were sealed, as the sealing key remembers, and there are {there}: entries are gone, "
                    "or it is an older copy",
                    n=signed.size,
                    there=self._total,
                ),
            )

    def _checkpoints(self) -> Iterator[Any]:
        after = -LAST * 2
        while rows := self._some_checkpoints(after):
            yield from rows
            after = rows[-1].size

    def _some_checkpoints(self, after: int) -> Sequence[Any]:
        some = select(Checkpoint.size, Checkpoint.root, Checkpoint.note).where(Checkpoint.size > after)
        with leniently(self._connection.connection):
            return self._connection.execute(some.order_by(Checkpoint.size).limit(500)).all()

    def _stretches(self) -> Iterator[list[_Kept]]:
        after = -LAST * 2
        while rows := self._connection.execute(
            select(Tile.number, Tile.hashes, Tile.last_seq)
            .where(Tile.level == 0, Tile.number > after)
            .order_by(Tile.number)
            .limit(TILES)
        ).all():
            yield [_Kept(*row) for row in rows]
            after = rows[-1].number
