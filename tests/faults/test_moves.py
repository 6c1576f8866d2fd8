"""The record moved about: compacted, out and in again, to the other database and back. It stays the same."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
from sqlalchemy import Engine, insert, select, text

from tests.conftest import _admin, _database
from tests.faults.conftest import Installation
from tests.faults.evidence import Evidence, opened, told
from webapp.db import Prediction
from webapp.extensions import Base

ODD = ["é", "e\u0301", "ß ﬁ Ⅷ", "日本語 🧪", "' OR 1=1 --", "\\N", "NULL", "1e999", "x" * 200]
CHUNK = 5_000


def fill(evidence: Evidence, n: int) -> None:
    """Records with odd numbers and texts, sealed some at a time."""
    for i, subject in enumerate(ODD):
        evidence.fill(n // 2 // len(ODD), subject=subject)
        evidence.fill(n // 2 // len(ODD), model="diabetes", subject=ODD[-1 - i])
        evidence.seal()


def state(engine: Engine) -> tuple[str, dict[str, int]]:
    """A digest of every value of every table by its type and all its digits, and how many rows there are."""
    digest, counts = hashlib.sha256(), {}
    with engine.connect() as c:
        for table in Base.metadata.sorted_tables:
            rows = c.execute(select(table).order_by(*table.primary_key)).all()
            counts[table.name] = len(rows)
            for row in rows:
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest(), counts


def copy(source: Engine, target: Engine) -> None:
    """All rows of all tables, in place of those that are there."""
    if source.dialect.name == "postgresql":
        source = source.execution_options(isolation_level="REPEATABLE READ")
    with source.connect() as old, target.connect() as new:
        if new.dialect.name == "postgresql":
            new.execute(text("SET session_replication_role = replica"))
        for table in Base.metadata.sorted_tables:
            new.execute(text(f"DELETE FROM {table.name}"))
            result = old.execution_options(yield_per=CHUNK).execute(select(table))
            for part in result.mappings().partitions(CHUNK):
                new.execute(insert(table), [dict(row) for row in part])
        new.commit() if new.dialect.name == "sqlite" else None


def sound(installation: Installation, note: str) -> int:
    with opened(installation) as evidence:
        found = evidence.verify(note)
        assert told(found) == ""
        assert found.anchored == found.size > 0
        return found.size


@pytest.fixture
def other(postgres: str, sqlite: Installation) -> Iterator[Installation]:
    """An empty PostgreSQL database with the same keys and models."""
    name = f"parecer_test_{secrets.token_hex(6)}"
    _admin(postgres, f"CREATE DATABASE {name}")
    made = Installation(sqlite.folder, _database(postgres, name))
    engine = made.engine()
    Base.metadata.create_all(engine)
    with engine.connect() as c, pysqlite3.connect(str(sqlite.folder / "parecer.db")) as file:
        c.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        [version] = file.execute("SELECT version_num FROM alembic_version").fetchone()
        c.execute(text("INSERT INTO alembic_version VALUES (:v)"), {"v": version})
    engine.dispose()
    yield made
    _admin(postgres, f"DROP DATABASE {name} WITH (FORCE)")


SIZES = [2_000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]


def filled(sqlite: Installation, n: int) -> tuple[str, tuple[str, dict[str, int]]]:
    with opened(sqlite) as evidence:
        fill(evidence, n)
        note = evidence.seal().note
    return note, state(sqlite.engine())


@pytest.mark.parametrize("n", SIZES)
def test_a_compacted_file_and_a_script_hold_the_same_record(sqlite: Installation, n: int) -> None:
    note, before = filled(sqlite, n)
    path = sqlite.folder / "parecer.db"
    with pysqlite3.connect(str(path), isolation_level=None) as file:
        file.execute("VACUUM")
    assert state(sqlite.engine()) == before
    sound(sqlite, note)
    _through_a_script(path)
    assert state(sqlite.engine()) == before
    size = sound(sqlite, note)
    if n > 2_000:
        print(f"\nSQLite: VACUUM, then dumped and restored, {size} entries: every value and hash identical")


def _through_a_script(path: Path) -> None:
    made = path.with_suffix(".new")
    old, new = sqlite3.connect(path), pysqlite3.connect(str(made), isolation_level=None)
    for statement in old.iterdump():
        new.execute(statement)
    old.close()
    new.close()
    for name in (f"{path}-wal", f"{path}-shm"):
        Path(name).unlink(missing_ok=True)
    made.replace(path)


@pytest.mark.parametrize("n", SIZES)
def test_the_other_database_holds_the_same_record(sqlite: Installation, other: Installation, n: int) -> None:
    note, before = filled(sqlite, n)
    copy(sqlite.engine(), other.engine())
    assert state(other.engine()) == before
    size = sound(other, note)
    with opened(other) as evidence:
        evidence.behind.execute(text("SET TIME ZONE 'Asia/Kathmandu'"))
        assert evidence.behind.scalar(select(Prediction.created_us).limit(1)) > 10**15
        evidence.behind.rollback()
    copy(other.engine(), sqlite.engine())
    assert state(sqlite.engine()) == before
    sound(sqlite, note)
    if n > 2_000:
        print(f"\nSQLite to PostgreSQL and back, {size} entries: every value and hash identical")


def test_a_value_that_is_not_the_same_is_noticed(sqlite: Installation) -> None:
    before: Any = state(sqlite.engine())
    with opened(sqlite) as evidence:
        evidence.change("UPDATE users SET created_us = created_us + 1 WHERE username = 'alice'")
    assert state(sqlite.engine()) != before
