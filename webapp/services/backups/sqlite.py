"""SQLite: a copy of one moment while others write, and copies opened as databases of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pysqlite3
from sqlalchemy import Connection, Engine, NullPool, create_engine

from webapp.db.engine import engine_options, prepare
from webapp.services.backups.place import SYNC_BYTES, Tell, Unusable, create

#: Pages of one step, and the seconds of rest for the disk after it.
STEP, REST = 256, 0.002


@contextmanager
def snapshot(file: Path) -> Iterator[Any]:
    """A connection that reads one moment, from now on."""
    with closing(
        pysqlite3.connect(f"file:{_quoted(file)}?mode=ro", uri=True, isolation_level=None)
    ) as source:
        source.execute("PRAGMA busy_timeout=5000")
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        # While this transaction lasts, steps of a copy go on where the last one ended; without it they would begin
        # anew after every commit of somebody else. Writers do not wait: they go on in the log.
        yield source


def copy(source: Any, target: Path, tell: Tell) -> None:
    """Copy a snapshot into one new file, on disk when this returns. Raises OSError."""
    file, since = create(target), 0

    def moved(_status: int, left: int, total: int) -> None:
        nonlocal since
        tell("Copying the database", total - left, total)
        since += STEP * page
        if since >= SYNC_BYTES:  # much to be written at once would hold up whoever else waits for the disk
            os.fdatasync(file)
            since = 0
        time.sleep(REST)

    page = source.execute("PRAGMA page_size").fetchone()[0]
    try:
        with closing(pysqlite3.connect(str(target), isolation_level=None)) as copied:
            # What is cut short is thrown away, so nothing here needs a journal or an fsync before the last.
            copied.execute("PRAGMA synchronous=OFF")
            copied.execute("PRAGMA journal_mode=OFF")
            source.backup(copied, pages=STEP, progress=moved, sleep=0)
            copied.execute("PRAGMA journal_mode=DELETE")  # a file that needs no log beside it
        os.fsync(file)
    except pysqlite3.OperationalError as error:
        raise OSError(0, str(error), str(target)) from error
    finally:
        os.close(file)


def check(file: Path, how: str = "integrity_check") -> None:
    """Whether the file is a sound database; raises Unusable."""
    try:
        with closing(pysqlite3.connect(f"file:{_quoted(file)}?mode=ro", uri=True)) as database:
            told = database.execute(f"PRAGMA {how}(1)").fetchone()[0]
    except pysqlite3.DatabaseError as error:
        told = str(error)
    if told != "ok":
        raise Unusable(f"The copy of the database is damaged: {told.splitlines()[0][:200]}")


@contextmanager
def reading(file: Path) -> Iterator[Connection]:
    """A connection to a copy that nobody writes to; nothing is written beside it."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: pysqlite3.connect(
            f"file:{_quoted(file)}?mode=ro&immutable=1",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        ),
        module=pysqlite3,
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA cache_size=-64000")
        yield connection


@contextmanager
def opened(file: Path) -> Iterator[Engine]:
    """An engine on a copy as the server would have it; afterwards it is one file again, on disk."""
    url = f"sqlite:///{file}"
    engine = create_engine(url, **engine_options(url) | {"pool_size": 2, "max_overflow": 2})
    prepare(engine)
    try:
        yield engine
    finally:
        engine.dispose()
        with closing(pysqlite3.connect(str(file), isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=DELETE")
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _quoted(file: Path) -> str:
    return str(file).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
