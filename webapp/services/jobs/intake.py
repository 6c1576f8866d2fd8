"""Uploads that become the files of a job: brought to disk, under names of our own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from webapp.errors import NotReady, printable
from webapp.services.desk import Desk
from webapp.services.jobs.reaping import discard
from webapp.wording import said

LONGEST_NAME = 200
#: After which a disk that was full may be tried again.
FULL_SECONDS = 60


def take_in(desk: Desk, folder: Path, names: Mapping[Path, str]) -> None:
    """Move each file into a new folder under its name there; raises NotReady where the disk takes no more."""
    try:
        folder.mkdir(parents=True, mode=0o700)
        for path, name in names.items():
            desk.offload(_sync, path)
            path.replace(folder / name)
    except OSError as error:
        discard(folder)
        raise not_kept() from error


def not_kept() -> NotReady:
    """What is said of a file that the disk does not take."""
    return NotReady(
        said(
            "The file cannot be kept, because the disk of this server takes no more; tell the operator, and send it "
            "again later."
        ),
        FULL_SECONDS,
    )


def file_name(name: str) -> str:
    """The last part of a name that came with a file, as far as it can be shown."""
    last = printable(name).replace("\\", "/").rpartition("/")[2]
    return "".join(c if c.isprintable() else " " for c in last).strip()[-LONGEST_NAME:] or "file"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
