"""Where an installation is, and the small things that making and restoring a backup share."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url

from webapp.errors import Conflict

#: Told what is being done, and how much of how much, now and then.
Tell = Callable[[str, int, int], None]
BLOCK = 1 << 20
#: Bytes written between two that are waited for: an fsync of much at once holds up whoever else writes.
SYNC_BYTES = 8 * BLOCK


@dataclass(frozen=True, slots=True)
class Installation:
    """What the settings say of it; `secret_key` only to tell whether it is the one of a backup."""

    data_dir: Path
    database: str
    store: Path
    version: str
    secret_key: str = ""

    @property
    def url(self) -> URL:
        """The database."""
        return make_url(self.database)

    @property
    def kind(self) -> str:
        """sqlite or postgresql."""
        return self.url.get_backend_name()

    @property
    def file(self) -> Path:
        """Of a SQLite database."""
        return Path(self.url.database or "").absolute()

    @property
    def keys(self) -> Path:
        """Secrets, and the sealing key in a folder of its own."""
        return self.data_dir / "keys"

    @property
    def journal(self) -> Path:
        """What was erased."""
        return self.data_dir / "erasures.jsonl"

    @property
    def jobs(self) -> Path:
        """Files of batches."""
        return self.data_dir / "jobs"

    def fingerprint(self) -> str:
        """By which the secret key of another installation is seen to be this one or not; says nothing else of it."""
        return hmac.digest(self.secret_key.encode(), b"parecer-backup-1", "sha256").hex()[:16]


class Unusable(Conflict):
    """A backup that is not as it was made, or not for this installation."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder, and those it is in, that are for their owner alone."""
    missing = [f for f in (folder, *folder.parents) if not f.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        sync_folder(one.parent)


def create(path: Path) -> int:
    """A descriptor of a new file that only its owner can read."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def write(path: Path, data: bytes) -> None:
    """A new file, on disk when this returns."""
    make_folder(path.parent)
    with os.fdopen(create(path), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def copy(
    source: Path, target: Path, moved: Callable[[int], None] = lambda n: None, *, gently: bool = True
) -> tuple[int, str]:
    """Copy a regular file, on disk when this returns: its bytes and SHA-256. `moved` is told of bytes now and then.

    `gently` is for when others wait for the same disk.
    """
    make_folder(target.parent)
    size, since, digest = 0, 0, hashlib.sha256()
    with (
        os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as old,
        os.fdopen(create(target), "wb", buffering=0) as new,
    ):
        while block := old.read(BLOCK):
            digest.update(block)
            new.write(block)
            size, since = size + len(block), since + len(block)
            moved(len(block))
            if gently and since >= SYNC_BYTES:
                os.fdatasync(new.fileno())
                since = 0
        os.fsync(new.fileno())
    return size, digest.hexdigest()


def hashed(path: Path, moved: Callable[[int], None] = lambda n: None) -> tuple[int, str]:
    """Bytes and SHA-256 of a regular file; raises OSError for a link."""
    size, digest = 0, hashlib.sha256()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        while block := file.read(BLOCK):
            size += len(block)
            digest.update(block)
            moved(len(block))
    return size, digest.hexdigest()
