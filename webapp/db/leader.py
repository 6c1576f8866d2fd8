"""Work that one process does at a time, whoever else is ready to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, func, select

_KEY = 0x706174


class Leader:
    """Elects one of all processes; whoever ends, in whatever way, is the leader no more.

    `path` is the file whose lock decides on SQLite; None: PostgreSQL decides.
    """

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self._engine = engine
        self._path = path

    @contextmanager
    def __call__(self) -> Iterator[bool]:
        """True inside for the leader; False at once for everybody else."""
        if self._path is None:
            with self._engine.connect() as connection:
                led = bool(connection.scalar(select(func.pg_try_advisory_lock(_KEY))))
                try:
                    yield led
                finally:
                    if led:
                        connection.execute(select(func.pg_advisory_unlock(_KEY)))
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                led = True
            except BlockingIOError:
                led = False
            yield led
        finally:
            os.close(file)
