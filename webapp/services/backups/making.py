"""Making a backup: everything into a folder that appears, whole and verified, at the end."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, text

from webapp.db import Checkpoint, Event, Leaf, Log, Model, ModelVersion, Prediction
from webapp.db.base import session, transaction
from webapp.errors import Conflict
from webapp.services import audit, sealing
from webapp.services.backups import postgres, sqlite
from webapp.services.backups.manifest import FORMAT, MANIFEST, SEALING, SIGNATURE, Manifest, safe, sign
from webapp.services.backups.place import Installation, Tell, Unusable, copy, hashed, sync_folder, write
from webapp.services.backups.stock import files_of_jobs, files_of_keys, files_of_store
from webapp.services.sealing.keys import Keyring
from webapp.services.verifying import Findings, claims, verify_in, verify_on

#: Seconds that sealing by somebody else is waited for.
SEALING_SECONDS = 10.0


@dataclass(slots=True)
class Made:
    """A backup that is there; `warnings` say what an operator should know of it."""

    manifest: Manifest
    root: bytes
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be in it besides the record; `verify_in`: an empty PostgreSQL database to try the copy in."""

    keys: bool = False
    files: bool = False
    verify_in: str = ""


def make(place: Installation, keys: Keyring, folder: Path, wanted: Wanted, tell: Tell) -> Made:
    """Back up the installation into `folder` while it is used. Nothing is left behind if this raises.

    Raises Conflict, Unusable (the record here does not verify), NotReady, OSError, Broken, Unsound.
    """
    folder = folder.absolute()
    _refuse(place, folder)
    _seal(keys)
    with _half(folder) as half:
        files: dict[str, tuple[int, str]] = {}
        signer = keys.signer(sealing.key_name(sealing.log().origin))
        session().rollback()
        for key in keys.known():
            _put(half, files, f"{SEALING}/{key.id.hex()}.vkey", key.text().encode() + b"\n")
        copied = _database(place, half, files, wanted, tell)
        warnings = _files(place, half, files, wanted, tell, copied.versions)
        manifest = Manifest(
            format=FORMAT,
            software=place.version,
            database=place.kind,
            **copied.facts,
            with_keys=wanted.keys,
            with_files=wanted.files,
            secret_key=place.fingerprint(),
            files=files,
        )
        data = manifest.text()
        write(half / MANIFEST, data)
        write(half / SIGNATURE, sign(data, manifest.origin, signer))
        for at, _, _ in os.walk(half):
            sync_folder(Path(at))
        with transaction() as current:
            audit.append(current, "backup", None, _facts(manifest))
        half.rename(folder)
        sync_folder(folder.parent)
    return Made(manifest, copied.root, warnings)


def _refuse(place: Installation, folder: Path) -> None:
    real = folder.resolve()
    for kept in (place.data_dir, place.store):
        if real.is_relative_to(kept.resolve()) or kept.resolve().is_relative_to(real):
            raise Conflict(
                f"{folder} is in, or holds, what is to be backed up ({kept}); choose a folder elsewhere, best on "
                "another disk."
            )
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise Conflict(f"{folder} is there already and not an empty folder; choose a new name.")
    if not folder.parent.is_dir():
        raise Conflict(f"There is no folder {folder.parent} to make the backup in.")


def _seal(keys: Keyring) -> None:
    """Seal what there is by now, or wait until somebody else has."""
    last, give_up = sealing.last_leaf(), time.monotonic() + SEALING_SECONDS
    while True:
        sealing.seal_and_tell(keys)
        session().rollback()
        if sealing.log().last_seq >= last or time.monotonic() > give_up:
            session().rollback()
            return
        time.sleep(0.05)


@contextmanager
def _half(folder: Path) -> Iterator[Path]:
    """A folder beside it to work in, gone at the end unless renamed; those of killed ones are cleared away."""
    for left in folder.parent.glob(f".{folder.name}.half-*"):
        handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left)
        except BlockingIOError:
            raise Conflict(f"Another backup is being written to {folder} right now.") from None
        finally:
            os.close(handle)
    half = folder.parent / f".{folder.name}.half-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        stack.callback(
            shutil.rmtree, half, ignore_errors=True
        )  # before it is there: an interrupt waits for nobody
        half.mkdir(mode=0o700)
        handle = os.open(half, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield half


@dataclass(frozen=True, slots=True)
class _Copied:
    """What the copy of the database says of itself."""

    facts: dict[str, Any]
    root: bytes
    #: Model, version and the hash of its manifest.
    versions: Sequence[tuple[str, int, str]]


def _database(
    place: Installation, half: Path, files: dict[str, tuple[int, str]], wanted: Wanted, tell: Tell
) -> _Copied:
    if place.kind == "sqlite":
        target = half / "parecer.db"
        with sqlite.snapshot(place.file) as source:
            made = _now()
            sqlite.copy(source, target, tell)
        sqlite.check(target)
        with sqlite.reading(target) as connection:
            copied = _verified(connection, half, files, made, tell)
    else:
        target = half / "database.dump"
        sealing.last_leaf()  # so that the snapshot has no holes that would be filled later
        with postgres.snapshot(place.url) as (connection, name):
            made = _now()
            tell("Copying the database", 0, 1)
            postgres.dump(place.url, target, postgres.ours(connection), name)
            tell("Copying the database", 1, 1)
            copied = _verified(connection, half, files, made, tell)
        postgres.check(target)
        if wanted.verify_in:
            _try_out(wanted.verify_in, target, half, copied, tell)
    files[target.name] = hashed(target)
    return copied


def _verified(
    connection: Connection, half: Path, files: dict[str, tuple[int, str]], made: str, tell: Tell
) -> _Copied:
    origin = connection.scalar(select(Log.origin))
    newest = connection.execute(
        select(Checkpoint.size, Checkpoint.root, Checkpoint.note).order_by(Checkpoint.size.desc()).limit(1)
    ).first()
    size, root, note = (0, b"", "") if newest is None else newest
    if note:
        _put(half, files, f"{SEALING}/newest", note.encode())
    outside = [claims.read(note)] if note else []
    found = verify_on(connection, Keyring(half / SEALING), outside, lambda n, of: tell("Verifying", n, of))
    refuse_altered(found, "The record here does not verify, so it was not backed up")
    counts = [
        connection.scalar(select(func.count()).select_from(table)) or 0 for table in (Leaf, Prediction, Event)
    ]
    facts = {
        "revision": connection.scalar(text("SELECT version_num FROM alembic_version")),
        "made": made,
        "origin": origin,
        "checkpoint": note,
        "size": size,
        **dict(zip(("entries", "predictions", "events"), counts, strict=True)),
    }
    versions = connection.execute(
        select(Model.name, ModelVersion.number, ModelVersion.manifest_hash).join(ModelVersion.model)
    )
    return _Copied(facts, bytes(root), [(row[0], row[1], row[2]) for row in versions])


def refuse_altered(found: Findings, what: str) -> None:
    """Raises Unusable where a verification has found something."""
    for held in found.outside:
        if not held.holds:
            raise Unusable(f"{what}: the checkpoint of {held.size} entries does not agree: {held.what}")
    if found.n_altered:
        first = found.altered[0]
        place = "" if first.index is None else f"entry {first.index} "
        more = f" (and {found.n_altered - 1} more)" if found.n_altered > 1 else ""
        raise Unusable(f"{what}: {place}{first.id}: {first.what}{more}. See: flask audit verify")


def _try_out(given: str, dump: Path, half: Path, copied: _Copied, tell: Tell) -> None:
    url = postgres.checked_url(given)
    with postgres.engine_of(url).connect() as connection:
        if postgres.ours(connection):
            raise Conflict(
                "The database of --verify-in is not empty; give one that may be filled and emptied."
            )
    try:
        postgres.load(url, dump)
        outside = [claims.read(copied.facts["checkpoint"])] if copied.root else []
        found = verify_in(
            postgres.engine_of(url),
            Keyring(half / SEALING),
            outside,
            lambda n, of: tell("Trying the copy", n, of),
        )
        refuse_altered(found, "The copy does not verify")
    finally:
        postgres.drop(url)


def _files(
    place: Installation,
    half: Path,
    files: dict[str, tuple[int, str]],
    wanted: Wanted,
    tell: Tell,
    versions: Sequence[tuple[str, int, str]],
) -> list[str]:
    """Copy what is not in the database, which comes first: what it speaks of is in place before it does."""
    lists = [files_of_store(place.store)]
    if place.journal.exists():
        lists.append([("erasures.jsonl", place.journal)])
    if wanted.keys:
        lists.append(files_of_keys(place.keys))
    if wanted.files:
        lists.append(files_of_jobs(place.jobs))
    listed, warnings = [one for part in lists for one in part], []
    for done, (name, path) in enumerate(listed):
        tell("Copying files", done, len(listed))
        if not safe(name):
            warnings.append(f"{path} is not in this backup: its name cannot be kept.")
            continue
        try:
            files[name] = copy(path, half / name)
        except FileNotFoundError:  # a batch, or a version whose publication failed, was removed meanwhile
            (half / name).unlink(missing_ok=True)
    for model, number, digest in versions:
        if files.get(f"model_store/{model}/{number}/manifest.json", (0, ""))[1] != digest:
            warnings.append(
                f"Files of {model} version {number} are lost or changed here, and so in this backup."
            )
    if wanted.keys:
        warnings += [
            f"{name} is given by the environment, so it is not in this backup: keep it apart."
            for name in ("secret_key", "jwt_secret_key")
            if f"keys/{name}" not in files
        ]
    return warnings


def _put(half: Path, files: dict[str, tuple[int, str]], name: str, data: bytes) -> None:
    write(half / name, data)
    files[name] = hashed(half / name)


def _facts(manifest: Manifest) -> dict[str, object]:
    return {
        "size": manifest.size,
        "files": len(manifest.files),
        "bytes": manifest.n_bytes,
        "with_keys": manifest.with_keys,
        "with_files": manifest.with_files,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
