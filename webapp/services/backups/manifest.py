"""What a backup says of itself: every file with its size and hash, under a signature of the sealing key.

`manifest.sig` is a signed note (c2sp.org/signed-note) over the format, the log and the SHA-256 of `manifest.json`, so
that neither a byte nor a file can be another without being seen, and whoever has no sealing key can make no backup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from webapp.services.backups.place import Tell, Unusable, hashed
from webapp.services.sealing import notes
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import DASH, Key, Signer, Unsound

FORMAT = "parecer-backup-1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SEALING = "keys/sealing"
DATABASES = {"sqlite": "parecer.db", "postgresql": "database.dump"}
LARGEST = 64 << 20
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,126}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Its members; `checkpoint` is the newest note that the copied database holds, `files` name → size, SHA-256."""

    format: str
    software: str
    database: str
    revision: str
    #: RFC 3339; the moment of which the database is a copy.
    made: str
    origin: str
    checkpoint: str
    #: Entries under the checkpoint, and all of them.
    size: int
    entries: int
    predictions: int
    events: int
    with_keys: bool
    with_files: bool
    #: Of the key of sessions and second factors.
    secret_key: str
    files: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def data(self) -> str:
        """The name of the database's copy."""
        return DATABASES[self.database]

    @property
    def n_bytes(self) -> int:
        """Of all files."""
        return sum(size for size, _ in self.files.values())

    def text(self) -> bytes:
        """As it is written."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode() + b"\n"


def sign(text: bytes, origin: str, signer: Signer) -> bytes:
    """The note over a manifest."""
    said = _said(text, origin)
    return (said + "\n" + signer.line(said)).encode()


def read(folder: Path) -> tuple[Manifest, list[Key]]:
    """The manifest of a backup, with those of its own keys that have signed it; raises Unusable."""
    text = _bytes(folder / MANIFEST)
    note = _bytes(folder / SIGNATURE)
    try:
        plain = json.loads(text)
        if isinstance(plain, dict) and plain.get("format") != FORMAT:
            raise Unusable(
                f"This backup is of a format that this software does not read ({str(plain.get('format'))[:40]!r}); "
                "use the version that made it, or a newer one."
            )
        found = _manifest(plain)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unusable(f"{MANIFEST} cannot be read: it is damaged, or this is no backup.") from None
    try:
        # Nothing in this folder is believed but what a key of the present installation, or one that is as the
        # manifest says, has signed.
        by = _signed(note, _said(text, found.origin), Keyring(folder / SEALING).known())
    except (Unsound, OSError, UnicodeDecodeError):
        raise Unusable("The public keys of this backup cannot be read: they are damaged.") from None
    if not by:
        raise Unusable(f"The signature of {MANIFEST} does not hold: the manifest, or a key, was changed.")
    return found, by


def check_names(folder: Path, manifest: Manifest) -> None:
    """Whether the files that are there are those of the manifest, all of them; raises Unusable."""
    there: set[str] = set()
    for at, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(at, name)
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise Unusable(f"{inside!r} is a link, or no regular file: backups hold none.")
            if path.is_file():
                there.add(inside)
    there -= {MANIFEST, SIGNATURE}
    if strange := sorted(there - manifest.files.keys()):
        raise Unusable(f"{strange[0]!r} does not belong to this backup{_and(len(strange))}.")
    if lost := sorted(manifest.files.keys() - there):
        raise Unusable(f"{lost[0]!r} is missing from this backup{_and(len(lost))}.")


def check_files(folder: Path, manifest: Manifest, tell: Tell) -> None:
    """Whether every file has the size and hash that the manifest says; raises Unusable."""
    done = 0

    def moved(n: int) -> None:
        nonlocal done
        done += n
        tell("Reading", done, manifest.n_bytes)

    for name, (size, _) in manifest.files.items():
        there = (folder / name).stat().st_size
        if there != size:
            raise Unusable(f"{name!r} has {there} bytes and should have {size}: it was cut or changed.")
    for name, expected in manifest.files.items():
        check_same(name, hashed(folder / name, moved), expected)


def check_same(name: str, there: tuple[int, str], expected: tuple[int, str]) -> None:
    """Whether a file is as the manifest says; raises Unusable."""
    if there != tuple(expected):
        raise Unusable(f"{name!r} is not what was backed up: its SHA-256 is another.")


def _and(n: int) -> str:
    return f" (and {n - 1} more)" if n > 1 else ""


def _said(text: bytes, origin: str) -> str:
    return f"{FORMAT}\n{origin}\n{hashlib.sha256(text).hexdigest()}\n"


def _signed(note: bytes, said: str, keys: list[Key]) -> list[Key]:
    """Those of `keys` that have signed exactly this text; another way to write the same signature is none."""
    before, _, line = note.decode().partition("\n\n")
    if before + "\n" != said:
        return []
    for key in keys:
        start = f"{DASH} {key.name} "
        try:
            raw = base64.b64decode(line.removeprefix(start).strip(), validate=True)
        except ValueError:
            continue
        exact = f"{start}{base64.b64encode(raw).decode()}\n"
        if line == exact and raw[:4] == key.id and key.signed(said, raw[4:]):
            return [key]
    return []


def _bytes(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise Unusable(f"There is no {path.name} in {path.parent}: it is no backup, or not a whole one.")
        if path.stat().st_size > LARGEST:
            raise Unusable(f"{path.name} is too large to be what it should be.")
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path} cannot be read ({error.strerror}).") from None


def _manifest(plain: Any) -> Manifest:
    """Raises ValueError, TypeError, KeyError."""
    kinds = {f.name: f.type for f in fields(Manifest)}
    if set(plain) != set(kinds):
        raise ValueError
    words = {"str": str, "int": int, "bool": bool}
    if any(type(plain[name]) is not words[str(kind)] for name, kind in kinds.items() if kind in words):
        raise TypeError
    files = {str(name): (int(size), str(digest)) for name, (size, digest) in plain.pop("files").items()}
    made = Manifest(**plain, files=files)
    if made.data not in files or not all(safe(name) for name in files):
        raise ValueError
    if made.checkpoint and notes_size(made.checkpoint) != made.size:
        raise ValueError
    return made


def notes_size(note: str) -> int:
    """Entries that a checkpoint speaks for; raises ValueError."""
    try:
        return notes.read(note).checkpoint.size
    except Unsound as error:
        raise ValueError from error


def safe(name: str) -> bool:
    """Whether a file of a backup may have this name."""
    path = PurePosixPath(name)
    return not path.is_absolute() and path.as_posix() == name and all(map(_PART.fullmatch, path.parts))
