"""How connections are made: SQLite embedded by default, PostgreSQL when a URL says so."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pysqlite3
from sqlalchemy import Engine, ExceptionContext, event, make_url

from webapp.errors import NotReady
from webapp.wording import said

# 3.7.0 to 3.51.2 can corrupt a WAL database when two checkpoints race a commit (sqlite.org/wal.html#walresetbug).
SAFE_SQLITE = (3, 51, 3)
LOCK_SECONDS = 5.0
BUSY = said("The database is busy; try again in a moment.")
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA busy_timeout=250",  # waited out inside SQLite, where it stops every greenlet of a worker
    "PRAGMA cache_size=-32000",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=67108864",
)


def engine_options(url: str) -> dict[str, Any]:
    """Options for `create_engine`; refuses a SQLite library with the WAL-reset fault (RuntimeError)."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return {
            "pool_size": 8,
            "max_overflow": 8,
            "pool_pre_ping": True,
            "pool_timeout": 5,
            "hide_parameters": True,  # what was asked is in them, and errors are logged
        }
    if pysqlite3.sqlite_version_info < SAFE_SQLITE:
        raise RuntimeError(
            f"SQLite {pysqlite3.sqlite_version} can corrupt its file; install pysqlite3 0.6.1 or newer"
        )
    # Connections to a file are cheap, and no other server's limit is at stake.
    return {
        "module": pysqlite3,
        "connect_args": {"check_same_thread": False, "isolation_level": None},
        "pool_size": 16,
        "max_overflow": 112,
        "hide_parameters": True,
    }


def prepare(engine: Engine, panic: Callable[[], None] = lambda: None) -> None:
    """Attach to a new engine what every connection needs; call once, right after the engine is made.

    `panic` is called when the disk fails (see `disk_failed`).
    """

    def look(context: ExceptionContext) -> None:
        if disk_failed(context.original_exception):
            panic()

    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
        event.listen(engine, "handle_error", look)


def disk_failed(error: BaseException) -> bool:
    """Whether SQLite met an I/O error, which may be that of an fsync: the driver does not tell which call it was.

    After a failed fsync the kernel may have dropped what it could not write, and answer the next one with success
    all the same. PostgreSQL looks after this itself.
    """
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR")


def begin_writing(cursor: Any) -> None:
    """BEGIN IMMEDIATE on a SQLite connection without a busy timeout, letting others run while it waits.

    Only a program that does not queue on our lock can be in the way. Raises pysqlite3.OperationalError after
    LOCK_SECONDS.
    """
    give_up = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
            return
        except pysqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > give_up:
                raise
        time.sleep(0.01)


def _set_pragmas(connection: Any, _record: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Any) -> None:
    # With isolation_level None the driver opens no transaction of its own, so reads get a snapshot only if we ask.
    connection.exec_driver_sql(
        "BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN"
    )


class WriteLock:
    """One lock around write transactions, across threads and processes.

    SQLite lets one writer in at a time and makes the others poll; queueing on flock keeps the tail short.
    PostgreSQL needs none: `path` None makes it a no-op. Who waits gives up after `seconds`.
    """

    def __init__(self, path: Path | None, seconds: float = LOCK_SECONDS) -> None:
        self._path = path
        self._seconds = seconds
        self._threads = threading.RLock()
        self._depth = 0
        self._file: int | None = None
        self._pid = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the lock; raises NotReady when it cannot be had in time."""
        if self._path is None:
            yield
            return
        if not self._threads.acquire(timeout=self._seconds):
            raise NotReady(BUSY)
        try:
            self._depth += 1
            if self._depth == 1:
                self._take()
            yield
        finally:
            self._depth -= 1
            if self._depth == 0 and self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)
            self._threads.release()

    def _take(self) -> None:
        if (
            self._file is None or self._pid != os.getpid()
        ):  # a lock on an inherited descriptor would be shared
            try:
                self._file = os.open(str(self._path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise NotReady(
                    said("The database cannot be written to right now; try again in a moment.")
                ) from error
            self._pid = os.getpid()
        give_up = time.monotonic() + self._seconds
        pause = 0.0001
        while True:
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise NotReady(BUSY) from None
                time.sleep(pause)
                pause = min(pause * 1.5, 0.002)
