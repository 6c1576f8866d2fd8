"""Bytes of the database file itself: each that matters is found, and no damage keeps the verification from ending."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pysqlite3
import pytest

from tests.faults.conftest import Installation
from tests.faults.evidence import opened


@contextmanager
def reading(path: Path) -> Iterator[Any]:
    connection = pysqlite3.connect(str(path))
    connection.text_factory = bytes
    try:
        yield connection
    finally:
        connection.close()


def content(path: Path) -> str:
    """A digest of all rows of all tables, by way of the tables alone; "" where they cannot be read."""
    digest = hashlib.sha256()
    try:
        with reading(path) as c:
            tables = c.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"
            ).fetchall()
            for name, sql in tables:
                digest.update(repr((name, sql)).encode())
                for row in c.execute(f"SELECT * FROM {name.decode()} NOT INDEXED"):
                    digest.update(repr(row).encode())
    except (pysqlite3.Error, UnicodeDecodeError):
        return ""
    return digest.hexdigest()


def whole(path: Path) -> bool:
    """What PRAGMA integrity_check says."""
    try:
        with reading(path) as c:
            return [row[0] for row in c.execute("PRAGMA integrity_check")] == [b"ok"]
    except (pysqlite3.Error, UnicodeDecodeError):  # of an error's own text
        return False


class File:
    """A sealed record in one file, to be damaged a byte at a time."""

    def __init__(self, installation: Installation) -> None:
        self.installation, self.path = installation, installation.folder / "parecer.db"
        with opened(installation) as evidence:
            evidence.fill(300, subject="patient 7")
            evidence.change("UPDATE predictions SET subject = subject")
            self.note = evidence.seal().note
        with reading(self.path) as c:
            c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            c.execute("PRAGMA journal_mode=DELETE")
        self._sound = self.path.read_bytes()
        self._content = content(self.path)
        assert self._content and whole(self.path)

    def trial(self, chance: random.Random, seen: Counter[str]) -> None:
        """Flip one byte, and say by what it was found."""
        place = chance.randrange(len(self._sound))
        damaged = bytearray(self._sound)
        damaged[place] ^= 1 << chance.randrange(8)
        self.path.write_bytes(damaged)
        kept = content(self.path)
        intact = whole(self.path)
        status, words = self._verify()
        if status == 1:
            seen["found by the verification"] += 1
        elif not intact:
            seen["found by integrity_check alone"] += 1
        elif kept == self._content:
            seen["in free space, or of no consequence"] += 1
        else:
            seen["not of the record"] += self._beside(place)
        if status not in (0, 1):
            raise AssertionError(f"byte {place}: status {status}: {words}")

    def restore(self) -> None:
        for name in ("parecer.db-wal", "parecer.db-shm", "parecer.db-journal"):
            (self.installation.folder / name).unlink(missing_ok=True)
        self.path.write_bytes(self._sound)

    def _verify(self) -> tuple[int, str]:
        (self.installation.folder / "checkpoint").write_text(self.note)
        with opened(self.installation) as evidence:
            return evidence.flask(
                "audit", "verify", "--checkpoint", str(self.installation.folder / "checkpoint")
            )

    def _beside(self, place: int) -> int:
        """Whether what was changed is nothing that the record speaks for; fails where it is."""
        shutil.copy(self.path, self.path.with_suffix(".damaged"))
        was, now = self._tables(self._sound), self._tables(self.path.read_bytes())
        changed = sorted(name for name in was if was[name] != now.get(name))
        assert not set(changed) & PROTECTED, f"byte {place}: {changed} read otherwise, and nobody was told"
        return 1

    def _tables(self, data: bytes) -> dict[str, list[Any]]:
        copy = self.path.with_suffix(".copy")
        copy.write_bytes(data)
        with reading(copy) as c:
            names = [
                row[0].decode() for row in c.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            return {name: self._rows(c, name) for name in names}

    @staticmethod
    def _rows(connection: Any, name: str) -> list[Any] | None:
        try:
            return list(connection.execute(f"SELECT * FROM {name} NOT INDEXED").fetchall())
        except UnicodeDecodeError:  # of a column's name
            return None


PROTECTED = {"predictions", "leaves", "events", "reviews", "outcomes", "tiles", "checkpoints", "logs"}


def trials(sqlite: Installation, times: int, seed: int) -> Counter[str]:
    file, seen = File(sqlite), Counter[str]()
    for n in range(times):
        file.trial(random.Random(seed + n), seen)
        file.restore()
    return seen


@pytest.mark.timeout(300)
def test_a_flipped_byte_of_the_file_is_found_or_of_no_consequence(sqlite: Installation) -> None:
    assert trials(sqlite, 150, seed=0).total() == 150


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_ten_thousand_flipped_bytes_of_the_file_are_found_or_of_no_consequence(sqlite: Installation) -> None:
    seen = trials(sqlite, 10_000, seed=10_000)
    print(f"\nSQLite: 10,000 bytes of the file flipped: {dict(seen)}, 0 silent wrong reads")
