"""Which workers live: each holds a lock on a file of its own, and the kernel lets go of it however the worker ends."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from pathlib import Path


class Presence:
    """This process as a worker, from now until it ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.id = secrets.token_hex(12)
        self._path = folder / self.id
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def end(self) -> None:
        """Let others know that this worker has left."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def alive(folder: Path, worker: str) -> bool:
    """Whether the worker with this id lives."""
    try:
        file = os.open(folder / worker, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def any_alive(folder: Path) -> bool:
    """Whether there is any worker."""
    return any(alive(folder, name) for name in _names(folder))


def living(folder: Path) -> int:
    """How many workers there are."""
    return sum(alive(folder, name) for name in _names(folder))


def forget_dead(folder: Path) -> None:
    """Remove what dead workers left; never that of one which is just starting."""
    for name in _names(folder):
        path = folder / name
        try:
            if path.stat().st_mtime < time.time() - 60 and not alive(folder, name):
                path.unlink(missing_ok=True)
        except OSError:
            continue


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
