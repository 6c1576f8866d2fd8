"""One pass over all leaves in the order of the tree: rows against leaves, leaves against tiles, tiles against roots."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from webapp.db import Leaf, Log, Tile
from webapp.services import sealing
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.tree import HASH, WIDTH, Edge, Place
from webapp.services.verifying.claims import Claim
from webapp.services.verifying.findings import Findings
from webapp.services.verifying.leaves import Reader, leniently
from webapp.services.verifying.roots import BEFORE_ALL, Roots
from webapp.wording import said

#: Tiles looked at in one go, and leaves whose bare hashing is timed.
TILES, TIMED = 4, 20_000
#: Seconds between two goes: others of this process have their turn.
BREATH = 1e-6
#: No tree has more levels of tiles.
LEVELS = 8

#: Told (done, of how many leaves) now and then; what it raises ends the verification.
Tell = Callable[[int, int], None]


class Kept(NamedTuple):
    """A tile as it is stored."""

    number: int
    hashes: bytes
    last_seq: int


class Walk:
    """The pass; `leaves` does it."""

    def __init__(
        self,
        connection: Connection,
        keys: Keyring,
        newest: str,
        outside: Sequence[Claim],
        found: Findings,
        tell: Tell,
    ) -> None:
        self._connection = connection
        self._found, self._tell = found, tell
        with leniently(connection.connection):
            log = connection.execute(select(Log.origin, Log.size, Log.last_seq)).one()
        found.origin, found.size, self._last_seq = log
        self._total = found.size + (
            connection.scalar(select(func.count()).select_from(Leaf).where(Leaf.seq > log.last_seq)) or 0
        )
        self._edge = Edge()
        self._upper: dict[Place, bytes] = {}
        self._roots = Roots(connection, keys.known(), newest, outside, found, self._total)
        self._reader = Reader(connection, found)

    @property
    def good(self) -> set[str]:
        """Ids of the events, of kinds that say what a row has to be, whose leaves have been found sound so far."""
        return self._reader.good

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

    def _ends(self, rows: list[tuple[Any, ...]], tiles: list[Kept]) -> None:
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
            stop = min([size + len(hashes) - taken, *self._roots.sizes(size)])
            self._upper |= {
                place: tile
                for place, tile in self._edge.extend(hashes[taken : taken + stop - size]).items()
                if place[0]
            }
            taken += stop - size
            self._roots.hold(self._edge)

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
        self._roots.end()
        self._tiles()
        while rows := self._reader.stretch(after, sealing.LAST, TILES * WIDTH):
            self._reader.check(rows, lambda i: None)
            if self._roots.unheld:  # signed, and then the transaction was lost
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

    def _stretches(self) -> Iterator[list[Kept]]:
        after = BEFORE_ALL
        while rows := self._connection.execute(
            select(Tile.number, Tile.hashes, Tile.last_seq)
            .where(Tile.level == 0, Tile.number > after)
            .order_by(Tile.number)
            .limit(TILES)
        ).all():
            yield [Kept(*row) for row in rows]
            after = rows[-1].number
