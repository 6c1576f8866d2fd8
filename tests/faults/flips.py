"""One byte of a stored value turned into another, in whatever column and on either database."""

from __future__ import annotations

import random
import struct
from contextlib import nullcontext
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, Table, select, text
from sqlalchemy.exc import DBAPIError

from tests.faults.evidence import Evidence
from webapp.db import Checkpoint, Event, Leaf, Log, Outcome, Prediction, Review, Tile
from webapp.services.sealing.tree import HASH, WIDTH

TABLES: dict[str, Table] = {
    table.__tablename__: table.__table__
    for table in (Prediction, Leaf, Event, Review, Outcome, Tile, Checkpoint, Log)
}
#: Says nothing about what was asked, answered or done: numbers by which rows find each other (a wrong one leads to
#: another row, which is found), when a checkpoint was put there, and why sealing stopped.
UNPROTECTED = {
    *("predictions.seq", "events.seq", "reviews.seq", "outcomes.seq", "logs.id"),
    *("checkpoints.at_us", "logs.trouble"),
}


class Place(NamedTuple):
    """A stored value, or the part of it from `start` on, and by what a verification may name it."""

    key: dict[str, Any]
    raw: bytes
    start: int
    length: int
    names: set[Any]


def columns() -> list[str]:
    """All that are protected, as table.column."""
    every = [f"{table}.{column.name}" for table in TABLES for column in TABLES[table].columns]
    return [name for name in every if name not in UNPROTECTED]


class Flipper:
    """Flips bytes of one column, and puts them back."""

    def __init__(self, evidence: Evidence, column: str) -> None:
        self._evidence = evidence
        #: What is stored now, where one value holds several places.
        self._now: dict[str, bytes] = {}
        self._table, _, self._name = column.partition(".")
        table = TABLES[self._table]
        self._keys = [c.name for c in table.primary_key]
        self._type = table.c[self._name].type
        cast = (
            isinstance(self._type, (BigInteger, Integer, Boolean, Float, LargeBinary)) or not evidence.sqlite
        )
        value = ":value" if cast else "CAST(:value AS TEXT)"
        where = " AND ".join(f"{key} = :key_{key}" for key in self._keys)
        self._update = text(f"UPDATE {self._table} SET {self._name} = {value} WHERE {where}")

    def places(self, indices: dict[str, int]) -> list[Place]:
        """Every value there is; `indices` is the place in the tree of each entry."""
        table, c = TABLES[self._table], self._evidence.behind
        rows = c.execute(select(table).order_by(*table.primary_key)).mappings().all()
        records = dict(c.execute(select(Prediction.seq, Prediction.id)).all())
        c.rollback()
        found: list[Place] = []
        for row in rows:
            if row[self._name] is None:
                continue
            raw, key = self._raw(row[self._name]), {k: row[k] for k in self._keys}
            if self._table == "tiles" and self._name == "hashes":
                found += self._hashes(row, raw, key)
                continue
            found.append(Place(key, raw, 0, len(raw), self._named(row, indices, records)))
        return found

    def place_of(self, record_id: str, index: int) -> Place:
        """The value of one record or leaf, which must have one."""
        table, c = TABLES[self._table], self._evidence.behind
        name = table.c.id if self._table == "predictions" else table.c.record_id
        row = c.execute(select(table).where(name == record_id)).mappings().one()
        raw = self._raw(row[self._name])
        return Place({k: row[k] for k in self._keys}, raw, 0, len(raw), {record_id, index})

    def flip(self, place: Place, at: int, chance: random.Random) -> dict[str, Any] | None:
        """Flip a bit of byte `at`; returns the key to `restore` by, None where the database takes no such value."""
        flipped = bytearray(self._now.get(str(place.key), place.raw))
        flipped[place.start + at] ^= 1 << chance.randrange(8)
        value = self._value(bytes(flipped))
        if isinstance(value, bool) or (isinstance(self._type, Boolean)):
            value = not bool(place.raw[0])
        if value is None:
            return None
        c = self._evidence.behind
        try:
            with c.begin_nested() if not self._evidence.sqlite else nullcontext():
                c.execute(self._update, {"value": value} | {f"key_{k}": v for k, v in place.key.items()})
        except DBAPIError:
            return None
        self._now[str(place.key)] = bytes(flipped)
        return place.key | ({self._name: value} if self._name in self._keys else {})

    def restore(self, place: Place, key: dict[str, Any]) -> None:
        """Put back what was there."""
        self._now.pop(str(place.key), None)
        value = {"value": self._value(place.raw)}
        self._evidence.behind.execute(self._update, value | {f"key_{k}": v for k, v in key.items()})

    @staticmethod
    def _hashes(row: Any, raw: bytes, key: dict[str, Any]) -> list[Place]:
        def named(at: int) -> set[Any]:
            level, number = row["level"], row["number"]
            return {f"{level}/{number}"} if level else {number * WIDTH + at}

        return [Place(key, raw, at * HASH, HASH, named(at)) for at in range(len(raw) // HASH)]

    def _named(self, row: Any, indices: dict[str, int], records: dict[int, str]) -> set[Any]:
        if self._table == "predictions":
            return {row["id"], indices[row["id"]]}
        if self._table == "leaves":
            return {row["record_id"], indices[row["record_id"]]}
        if self._table == "events":
            return {row["id"], indices[row["id"]]}
        if self._table in ("reviews", "outcomes"):
            return {records[row["prediction_seq"]], row["event_id"]}
        if self._table == "checkpoints" and self._name != "size":
            return {f"checkpoint of {row['size']} entries", row["size"] - 1}
        return set()  # that anything is found

    def _raw(self, value: Any) -> bytes:
        if isinstance(self._type, LargeBinary):
            return bytes(value)
        if isinstance(self._type, Float):
            return struct.pack(">d", value)
        if isinstance(self._type, Boolean):
            return bytes([value])
        if isinstance(self._type, (BigInteger, Integer)):
            wide = isinstance(self._type, BigInteger) or self._evidence.sqlite
            return int(value).to_bytes(8 if wide else 4, "big", signed=True)
        return str(value).encode()

    def _value(self, raw: bytes) -> Any:
        if isinstance(self._type, Float):
            return struct.unpack(">d", raw)[0]
        if isinstance(self._type, Boolean):
            return bool(raw[0])
        if isinstance(self._type, (BigInteger, Integer)):
            return int.from_bytes(raw, "big", signed=True)
        if isinstance(self._type, LargeBinary) or self._evidence.sqlite:
            return raw
        return None if b"\0" in raw or not _is_text(raw) else raw.decode()


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
