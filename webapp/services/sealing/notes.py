"""Checkpoints as text: C2SP tlog-checkpoint in a C2SP signed note, under Ed25519.

See https://c2sp.org/tlog-checkpoint and https://c2sp.org/signed-note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webapp.services.sealing.tree import HASH

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = b"\x01"
DASH = "\N{EM DASH}"
SIZE = re.compile("0|[1-9][0-9]{0,17}", re.ASCII)
LONGEST = 8_000


class Unsound(Exception):
    """A note, or a key, that is not what it has to be; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """So many leaves, and the root over them, of the log called `origin`."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Key:
    """A public key under its name; `raw` is 32 bytes."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature says whose it is."""
        return hashlib.sha256(self.name.encode() + b"\n" + ALGORITHM + self.raw).digest()[:4]

    def text(self) -> str:
        """The key as others' verifiers take it."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ALGORITHM + self.raw).decode()}"

    @classmethod
    def read(cls, text: str) -> Key:
        """Raises Unsound."""
        name, _, rest = text.strip().partition("+")
        key_id, _, data = rest.partition("+")
        raw = _decoded(data)
        key = cls(name, raw[1:])
        if raw[:1] != ALGORITHM or len(raw) != 1 + HASH or key.id.hex() != key_id:
            raise Unsound("this is no Ed25519 key of a signed note")
        return key

    def signed(self, text: str, signature: bytes) -> bool:
        """Whether the signature is this key's."""
        # Only who seals or verifies needs the library; web workers start without it.
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A private key under its name."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = Key(name, private.public_key().public_bytes_raw())

    def line(self, text: str) -> str:
        """One signature."""
        data = base64.b64encode(self.key.id + self._private.sign(text.encode())).decode()
        return f"{DASH} {self.key.name} {data}\n"


def sign(checkpoint: Checkpoint, *signers: Signer) -> str:
    """The note, with a signature of each."""
    text = checkpoint.text()
    return text + "\n" + "".join(signer.line(text) for signer in signers)


@dataclass(frozen=True, slots=True)
class Note:
    """A note as read; nothing in it is believed before `by`."""

    checkpoint: Checkpoint
    text: str
    #: Name, id and signature of each line.
    signatures: list[tuple[str, bytes, bytes]]

    def by(self, keys: list[Key]) -> list[Key]:
        """Those of `keys` that have signed it; raises Unsound where a signature in the name of one is not its own."""
        found = []
        for key in keys:
            for name, key_id, signature in self.signatures:
                if (name, key_id) == (key.name, key.id):
                    if not key.signed(self.text, signature):
                        raise Unsound(f"the signature of key {key.id.hex()} does not hold")
                    found.append(key)
        return found


def read(note: str) -> Note:
    """Raises Unsound for what is no checkpoint."""
    text, blank, rest = note.partition("\n\n")
    lines = text.split("\n")
    if (
        not blank
        or not note.endswith("\n")
        or len(note) > LONGEST
        or len(lines) < 3
        or not SIZE.fullmatch(lines[1])
    ):
        raise Unsound("this is no signed checkpoint")
    root = _decoded(lines[2])
    if len(root) != HASH:
        raise Unsound("the root is not 32 bytes long")
    signatures = []
    for line in rest.removesuffix("\n").split("\n"):
        dash, name, data = [*line.split(" ", 2), "", ""][:3]
        raw = _decoded(data)
        if dash != DASH or len(raw) < 5:
            raise Unsound("a signature cannot be read")
        signatures.append((name, raw[:4], raw[4:]))
    return Note(Checkpoint(lines[0], int(lines[1]), root), text + "\n", signatures)


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or base64.b64encode(raw).decode() != text:  # one text for each value, whatever the last bits
        raise Unsound("this is no base64")
    return raw
