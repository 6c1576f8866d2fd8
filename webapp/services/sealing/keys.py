"""The sealing key, in files outside of the database, and what it has signed last.

Whoever can write to the database and not to these files cannot pass off a tree of their own.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from contextlib import suppress
from pathlib import Path

from webapp.services.sealing.notes import Key, Signer, Unsound

SEED_BYTES = 32


class Keyring:
    """Where the private key, all public keys so far, and the newest checkpoint are kept.

    `given` is the private key as setting SEAL_KEY holds it, base64 of 32 bytes; without it the key is in a file that
    is made at first need.
    """

    def __init__(self, folder: Path, given: str = "") -> None:
        self._folder = folder
        self._given = given

    @property
    def _private(self) -> Path:
        return self._folder / "private"

    @property
    def _newest(self) -> Path:
        return self._folder / "newest"

    def signer(self, name: str) -> Signer:
        """The key that signs now, made where there is none. Raises Unsound, OSError."""
        signer = self._signer(name, self._seed() or self._made())
        self.keep(signer.key)
        return signer

    def before(self, name: str) -> Signer | None:
        """The key before this one, while a rotation is not over."""
        with suppress(FileNotFoundError):
            return self._signer(name, _read(self._folder / "private-before"))
        return None

    def rotate(self, name: str) -> tuple[Signer, Signer | None]:
        """Make a new key; returns it and the one before. Until `rotated`, both sign. Raises Unsound, OSError."""
        before = self._signer(name, self._seed() or self._made())
        self.keep(before.key)
        if not self._given:
            _write(self._folder / "private-before", self._private.read_bytes())
            _write(self._private, _fresh())
        return self.signer(name), before

    def rotated(self) -> None:
        """Let go of the key before, once both have signed."""
        (self._folder / "private-before").unlink(missing_ok=True)

    def known(self) -> list[Key]:
        """All public keys so far."""
        keys = []
        with suppress(FileNotFoundError):
            for path in sorted(self._folder.glob("*.vkey")):
                with suppress(Unsound, OSError):  # a key that cannot be read vouches for nothing
                    keys.append(Key.read(path.read_text(errors="replace")))
        return keys

    def keep(self, key: Key) -> None:
        """Remember a public key for as long as there is anything to verify."""
        path = self._folder / f"{key.id.hex()}.vkey"
        if not path.exists():
            _write(path, key.text().encode() + b"\n")

    def newest(self) -> str:
        """The newest note that was signed here; empty where none was."""
        try:
            return self._newest.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def remember(self, note: str) -> None:
        """Keep a note as the newest, before anybody else sees it."""
        _write(self._newest, note.encode())

    def _seed(self) -> bytes | None:
        if self._given:
            return _decoded(self._given, "SEAL_KEY")
        with suppress(FileNotFoundError):
            return _read(self._private)
        return None

    def _made(self) -> bytes:
        _write(self._private, _fresh(), only_new=True)
        return _read(self._private)

    @staticmethod
    def _signer(name: str, seed: bytes) -> Signer:
        # Only who seals or verifies needs the library; web workers start without it.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


def _fresh() -> bytes:
    return base64.b64encode(secrets.token_bytes(SEED_BYTES)) + b"\n"


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return _decoded(path.read_text(errors="replace"), f"the sealing key in {path.parent.name}/{path.name}")


def _decoded(text: str, what: str) -> bytes:
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES:
        raise Unsound(f"{what} is not base64 of {SEED_BYTES} bytes")
    return seed


def _write(path: Path, data: bytes, *, only_new: bool = False) -> None:
    """All of it or nothing, on disk when this returns; with `only_new`, whoever comes first decides."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if only_new:
            with suppress(FileExistsError):
                os.link(made, path)
        else:
            made.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        made.unlink(missing_ok=True)
