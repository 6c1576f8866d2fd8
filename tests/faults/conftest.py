from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pysqlite3
import pytest
from sqlalchemy import Engine, NullPool, create_engine, make_url

from tests.conftest import _admin, _database
from tests.faults.ledger import Ledger


class Installation(NamedTuple):
    """A seeded installation of a test's own, and the URL of its database."""

    folder: Path
    url: str

    @property
    def kind(self) -> str:
        """The name of the database."""
        return "SQLite" if self.url.startswith("sqlite") else "PostgreSQL"

    @property
    def environment(self) -> dict[str, str]:
        """What its server must be told."""
        return {"DATABASE_URL": self.url}

    def engine(self) -> Engine:
        """Connections past the server, to look behind it."""
        sqlite = make_url(self.url).get_backend_name() == "sqlite"
        options = {"module": pysqlite3} if sqlite else {"isolation_level": "AUTOCOMMIT"}
        return create_engine(self.url, poolclass=NullPool, **options)

    def ledger(self) -> Ledger:
        """What is on the record now."""
        return Ledger(self.engine())


@pytest.fixture
def sqlite(sqlite_seed: Path, tmp_path: Path) -> Installation:
    return _sqlite(sqlite_seed, tmp_path / "data")


@pytest.fixture
def postgresql(postgres: str, postgres_seed: tuple[str, Path], tmp_path: Path) -> Iterator[Installation]:
    name, folder = postgres_seed
    copy = f"parecer_test_{secrets.token_hex(6)}"
    _admin(postgres, f"CREATE DATABASE {copy} TEMPLATE {name}")
    shutil.copytree(folder, tmp_path / "data")
    yield Installation(tmp_path / "data", _database(postgres, copy))
    _admin(postgres, f"DROP DATABASE {copy} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest) -> Installation:
    """On SQLite and on PostgreSQL."""
    made: Installation = request.getfixturevalue(request.param)
    return made


def _sqlite(seed: Path, folder: Path) -> Installation:
    shutil.copytree(seed, folder, dirs_exist_ok=True)
    return Installation(folder, f"sqlite:///{folder / 'parecer.db'}")
