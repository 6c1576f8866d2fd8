"""Who works on an installation: many serve it, or one restores it.

The kernel lets go of the lock however a process ends. This file is read by the web server's settings, so it imports
next to nothing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from webapp.errors import Conflict

LOCK, MARKER = "serving.lock", "restoring"

RESTORING = "A backup is being restored here; start again when that is done."
UNFINISHED = "A restore was cut short here. Finish it with: python run.py prepare"
SERVED = "This installation is being worked on: stop its web server, workers and other commands, and restore again."


class Serving:
    """This process works on the installation, until `leave` or its end. Raises Conflict while one is restored."""

    def __init__(self, data_dir: Path) -> None:
        self._file = _lock(data_dir, fcntl.LOCK_SH, RESTORING)
        if (data_dir / MARKER).exists():
            self.leave()
            raise Conflict(UNFINISHED)

    def leave(self) -> None:
        """Let others restore it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.leave()


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Nobody else works on the installation; raises Conflict where somebody does."""
    file = _lock(data_dir, fcntl.LOCK_EX, SERVED)
    try:
        yield
    finally:
        if file is not None:
            os.close(file)


def unfinished(data_dir: Path) -> bool:
    """Whether a restore is under way, or was cut short."""
    return (data_dir / MARKER).exists()


def _lock(data_dir: Path, kind: int, refusal: str) -> int | None:
    try:
        file = os.open(data_dir / LOCK, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # full or read-only: who serves must be able to start, and nothing can be restored here
        if kind == fcntl.LOCK_EX:
            raise
        return None
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise Conflict(refusal) from None
    return file
