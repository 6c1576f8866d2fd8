"""The journal of erasures: a file beside the database, so that an older copy of it cannot bring back what is gone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from webapp.errors import NotReady
from webapp.wording import said


class Journal:
    """Lines of JSON, one an erasure; only its owner can read it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, line: Mapping[str, Any]) -> tuple[int, int]:
        """Add a line, on disk when this returns; gives the bytes there were before, and after.

        Raises NotReady where it cannot be kept; then nothing of it is there.
        """
        try:
            new = not self._path.exists()
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = os.fstat(file).st_size
                try:
                    end = _write(file, size, orjson.dumps(line) + b"\n")
                except OSError:
                    with suppress(OSError):
                        os.ftruncate(file, size)
                    raise
            finally:
                os.close(file)
            if new:
                _sync_folder(self._path.parent)
        except OSError as error:
            raise NotReady(
                said(
                    "Nothing was erased, because the journal of erasures in the data folder cannot be written to; "
                    "make room there, or let the server write there, and try again."
                )
            ) from error
        return size, end

    def size(self) -> int:
        """Bytes it holds now."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, start: int) -> list[dict[str, Any]]:
        """The lines from byte `start` on, or all if no line begins there. One that is torn is left out."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(start - 1, 0))
                data = file.read()
                if start and data[:1] != b"\n":
                    file.seek(0)
                    data = file.read()
        except FileNotFoundError:
            return []
        lines = []
        for text in data.splitlines():
            with suppress(orjson.JSONDecodeError):
                line = orjson.loads(text)
                if isinstance(line, dict) and isinstance(line.get("records"), list):
                    lines.append(line)
        return lines


def _write(file: int, size: int, data: bytes) -> int:
    if size and os.pread(file, 1, size - 1) != b"\n":  # whoever wrote last was killed at it
        data = b"\n" + data
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
    os.fsync(file)
    return size + len(data)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
