"""Checkpoints from outside: a note in a file, or size and root typed from paper."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from webapp.errors import InvalidInput, Problem
from webapp.services.sealing import notes
from webapp.services.sealing.tree import HASH
from webapp.wording import said

#: Number of entries, with marks between thousands, and root, in whatever groups.
TYPED = re.compile(r"([0-9][0-9.,]*(?: [0-9]{3})*) +([0-9A-Fa-f][0-9A-Fa-f -]*|[A-Za-z0-9+/]{43}=)", re.ASCII)
#: Characters of one checkpoint, and checkpoints of one text.
LONGEST, MOST = 8_000, 1_000
#: Of a root typed by hand, at least: as many as nobody can find a second tree for.
LEAST_DIGITS = 32
GROUP = 4
UNREAD = said(
    "is no checkpoint: give the text of one, or its number of entries and, after a space, its root as printed"
)


class Claim(NamedTuple):
    """So many leaves have a root that begins so, as hex digits; `note` where it is signed."""

    size: int
    digits: str
    note: notes.Note | None

    def holds(self, root: bytes) -> bool:
        """Whether it is said of this root."""
        return root.hex().startswith(self.digits)

    def slip(self, root: bytes) -> int | None:
        """Which group of digits, from 1, was probably mistyped; None where it is another root altogether."""
        wrong = [i for i, digit in enumerate(self.digits) if root.hex()[i] != digit]
        return wrong[0] // GROUP + 1 if 0 < len(wrong) <= GROUP else None


def read_all(text: str) -> list[Claim]:
    """All the signed checkpoints of a text, such as a file they were appended to; or the one that was typed.

    Raises InvalidInput (`#/checkpoint`).
    """
    blocks = re.split(r"\n\n+", text.replace("\r\n", "\n").strip("\n \t"))
    if len(blocks) < 2:
        return [read(text)]
    if len(blocks) > 2 * MOST:
        raise InvalidInput([Problem("#/checkpoint", said("holds more than {n} checkpoints", n=MOST))])
    return [read("\n\n".join(blocks[i : i + 2])) for i in range(0, len(blocks), 2)]


def read(text: str) -> Claim:
    """Raises InvalidInput (`#/checkpoint`)."""
    text = text.replace("\r\n", "\n").strip("\n \t") + "\n"
    if len(text) > LONGEST:
        raise InvalidInput([Problem("#/checkpoint", UNREAD)])
    if "\n\n" in text:
        try:
            note = notes.read(text)
        except notes.Unsound as error:
            raise InvalidInput(
                [Problem("#/checkpoint", said("{rule} ({why})", rule=UNREAD, why=str(error)))]
            ) from None
        return Claim(note.checkpoint.size, note.checkpoint.root.hex(), note)
    typed = TYPED.fullmatch(" ".join(text.split()))
    if typed is None:
        raise InvalidInput([Problem("#/checkpoint", UNREAD)])
    short = [n for n, group in enumerate(typed[2].split()[:-1], 1) if len(group) != GROUP]
    if len(typed[2].split()) > 2 and short:
        told = said(
            "has {n} digits in group {group} of its root, and groups have four; look at the paper again",
            n=len(typed[2].split()[short[0] - 1]),
            group=short[0],
        )
        raise InvalidInput([Problem("#/checkpoint", told)])
    size, root = re.sub(r"\D", "", typed[1]), re.sub(r"[\s-]", "", typed[2])
    digits = root.lower()
    if root.endswith("="):
        try:
            digits = base64.b64decode(root, validate=True).hex()
        except binascii.Error:
            digits = ""
    if not LEAST_DIGITS <= len(digits) <= 2 * HASH or len(digits) % GROUP or len(size) > 18:
        least = said(
            "{rule}; all 64 digits of it, or at least the first {n}, in whole groups of four",
            rule=UNREAD,
            n=LEAST_DIGITS,
        )
        raise InvalidInput([Problem("#/checkpoint", least)])
    return Claim(int(size), digits, None)


def groups(root: bytes) -> str:
    """A root as it is printed: 16 groups of four hex digits."""
    digits = root.hex()
    return " ".join(digits[i : i + GROUP] for i in range(0, len(digits), GROUP))
