"""Recorded rows a second of JSON batches, beside bare SQLite inserting the very same rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pysqlite3 as sqlite  # the SQLite the product uses, not the one Python was linked with

from bench.cases import Case
from bench.load import Load, drive
from bench.processes import BenchError
from bench.servers import PARECER, data_dir, serving

TABLES = ("predictions", "leaves")
ROWS = 1000
BODIES = 8
CONNECTIONS = 4
COPIED = 100_000


@dataclass(frozen=True, slots=True)
class Batch:
    """One model in batches; `bare_rate` is rows a second of bare inserts, one commit a thousand rows."""

    load: Load
    bare_rate: float

    @property
    def rate(self) -> float:
        """Recorded rows a second."""
        return self.load.rate * ROWS

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "rate": self.rate, "ratio": self.rate / self.bare_rate}


def measure(case: Case, seconds: float, work: Path) -> Batch:
    """Batches of 1,000 rows to Parecer for that many seconds, then its own rows into empty tables."""
    work.mkdir(exist_ok=True)
    PARECER.prepare(case, work)
    with serving(PARECER, case, work) as up:
        bodies = [instances(case, turn) for turn in range(BODIES)]
        drive(up.target, bodies, 1.0, CONNECTIONS)
        load = drive(up.target, bodies, seconds, CONNECTIONS)
    if load.errors:
        raise BenchError(f"{load.errors} of {load.requests} batches failed")
    return Batch(load, bare_rate(database(data_dir(work)), TABLES, work / "bare.db"))


def instances(case: Case, turn: int) -> object:
    """A batch of 1,000 rows, beginning elsewhere for every turn."""
    rows = [case.rows[(turn * 97 + i) % len(case.rows)] for i in range(ROWS)]
    return {"instances": [PARECER.inputs(case, row) for row in rows]}


def database(directory: Path) -> Path:
    """The one SQLite file under the directory that holds the tables."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.open("rb").read(15) == b"SQLite format 3" and set(TABLES) <= _tables(path):
            return path
    raise BenchError(f"no SQLite database with the tables {', '.join(TABLES)} under {directory}")


def bare_rate(source: Path, tables: Sequence[str], copy: Path) -> float:
    """Rows of the first table a second, with the matching share of the others, by bare `executemany`.

    Same columns, indices, journal and fsync as the product; no Python but the loop itself.
    """
    with sqlite.connect(source) as original, sqlite.connect(copy, isolation_level=None) as bare:
        names = ", ".join(f"'{table}'" for table in tables)
        schema = original.execute(
            "SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL "
            f"AND tbl_name IN ({names}) ORDER BY rowid"
        )
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            *(sql for (sql,) in schema),
        ):
            bare.execute(statement)
        kept = {
            table: original.execute(f"SELECT * FROM {table} LIMIT {COPIED}").fetchall() for table in tables
        }
        started = time.perf_counter()
        for start in range(0, len(kept[tables[0]]), ROWS):
            bare.execute("BEGIN IMMEDIATE")
            for table, rows in kept.items():
                if part := rows[start : start + ROWS]:
                    bare.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(part[0]))})", part)
            bare.execute("COMMIT")
        return len(kept[tables[0]]) / (time.perf_counter() - started)


def _tables(path: Path) -> set[str]:
    with sqlite.connect(path) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
