"""What there is to be copied besides the database: (name in the backup, where it is)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from webapp.ml.store import MODEL_NAME

Listed = list[tuple[str, Path]]
#: Of the sealing key; public keys are in every backup.
PRIVATE = ("private", "private-before")
#: Of jobs, belonging to what is going on right now.
PASSING = ("workers", "incoming")


def files_of_store(store: Path) -> Listed:
    """All files of all versions."""
    listed: Listed = []
    for model in _folders(store):
        for version in _folders(model) if MODEL_NAME.fullmatch(model.name) else ():
            if version.name.isdecimal():
                listed += _under(version, f"model_store/{model.name}/{version.name}")
    return listed


def files_of_keys(keys: Path) -> Listed:
    """The secrets and the private sealing key, as far as they are in files."""
    wanted = ["secret_key", "jwt_secret_key", *(f"sealing/{name}" for name in PRIVATE)]
    return [(f"keys/{name}", keys / name) for name in wanted if (keys / name).is_file()]


def files_of_jobs(jobs: Path) -> Listed:
    """Files of batches."""
    listed: Listed = []
    for folder in _folders(jobs):
        if folder.name not in PASSING:
            listed += _under(folder, f"jobs/{folder.name}")
    return listed


def _under(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield f"{name}/{path.relative_to(folder).as_posix()}", path


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink())
