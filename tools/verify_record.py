#!/usr/bin/env python3
"""Check the record of a Parecer desk, apart from the desk: this file, Python 3.11 and `cryptography` are enough.

What is checked, by the content of FILE (formats in docs/explanation/record.md):

- a proof: one entry, that it is in the tree of a signed checkpoint, and that what it says was committed to;
- a consistency proof: that the tree of a later checkpoint goes on from that of an earlier one;
- an export, plain or gzip: every entry, every checkpoint, every gap.

A file alone cannot show that nobody forged it: whoever writes a file also writes the keys in it, and whoever holds the
desk's key can sign a second history. So keys come from outside by --key, and checkpoints kept elsewhere, on paper or
with somebody else, by --checkpoint.

Exit codes: 0 nothing is altered, all of it is anchored by an outside checkpoint, and the keys are from outside;
3 nothing is altered, but something of that was not given; 1 something is altered, or a signature or proof fails;
2 something cannot be read.

Hashes and proofs are of RFC 6962 and RFC 9162, signatures of RFC 8032, checkpoints of c2sp.org/tlog-checkpoint and
c2sp.org/signed-note.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import gzip
import hmac
import io
import json
import os
import re
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256
from itertools import islice
from pathlib import Path
from textwrap import fill
from typing import Any, BinaryIO, NamedTuple, NoReturn

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stderr.write("Signatures need the package cryptography: python -m pip install cryptography\n")
    sys.exit(2)

INTACT, ALTERED, UNREADABLE, UNANCHORED = range(4)

#: No line of an export, and no other file, may be longer; in bytes.
LONGEST = 64 * 2**20
#: No note, and no file of keys, may be longer; in bytes.
LONGEST_NOTE = 2**20
#: So many findings of a sort are named, and the rest is counted.
NAMED = 20
#: So many digits of a root on paper may be left out at its end, or be typed wrongly, before it counts as another root.
FEWEST_DIGITS, MOST_TYPOS = 32, 4


class Unreadable(Exception):
    """Something is not what it should be in form; the message says what, and what to do."""


class Failed(Exception):
    """A signature or a proof does not hold."""


class Malformed(ValueError):
    """A text is no JSON, or not the JSON that it should be."""


# Texts ---------------------------------------------------------------------------------------------------------------


def shown(text: object, longest: int = 400) -> str:
    """`text` fit for a terminal: cut, and whatever could move the cursor or turn the direction escaped."""
    full = str(text)
    cut = full if len(full) <= longest else full[:longest] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a member is named twice")
    return members


def _refuse(name: str) -> NoReturn:
    raise Malformed(f"{name} is no JSON")


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse).decode


def parse(text: str) -> Any:
    """What a JSON text says. Raises Malformed, also for a member named twice, NaN, and what Python cannot hold."""
    try:
        return _decode(text)
    except Malformed:
        raise
    except json.JSONDecodeError as error:
        raise Malformed(f"no JSON at character {error.pos + 1:,}") from None
    except ValueError:
        raise Malformed("a number has too many digits") from None
    except RecursionError:
        raise Malformed("it is nested too deeply") from None


def parse_object(text: str) -> dict[str, Any]:
    """As `parse`, and what is no object is malformed too."""
    found = parse(text)
    if type(found) is not dict:
        raise Malformed("it is no JSON object")
    return found


def compact(value: object) -> str:
    """`value` as JSON on one line, fit for a terminal."""
    try:
        return shown(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return "(nested too deeply to be shown)"


def encoded(text: str) -> bytes:
    """UTF-8. Raises Malformed for half a surrogate pair, which JSON can name and UTF-8 cannot."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Malformed("a character is half of a pair") from None


def from_base64(text: str) -> bytes:
    """Raises Malformed unless `text` is the only base64 (RFC 4648 §4) of its bytes."""
    try:
        found = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise Malformed("it is no base64") from None
    if base64.b64encode(found).decode() != text:
        raise Malformed("it is no base64")
    return found


def from_hex(text: object, size: int) -> bytes:
    """Raises Malformed unless `text` is `size` bytes in small hexadecimal digits."""
    try:
        found = bytes.fromhex(text) if type(text) is str else b""
    except ValueError:
        found = b""
    if len(found) != size or found.hex() != text:
        raise Malformed(f"it is not {size} bytes in hexadecimal digits")
    return found


def moment(microseconds: int) -> str:
    """A time in microseconds since 1970 as a date, UTC."""
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{shown(microseconds, 30)} microseconds after 1970"
    return f"{at:%Y-%m-%d %H:%M:%S.%f} UTC"


# Trees ---------------------------------------------------------------------------------------------------------------


def leaf_hash(canonical: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return sha256(b"\0" + canonical).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return sha256(b"\1" + left + right).digest()


class Tree:
    """A Merkle tree (RFC 6962 §2.1) that grows at its end and keeps only the roots of its full subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, digest: bytes) -> None:
        """Add one leaf by its hash."""
        full = self.size
        while full & 1:
            digest = node_hash(self._peaks.pop(), digest)
            full >>= 1
        self._peaks.append(digest)
        self.size += 1

    def root(self) -> bytes:
        """The root at the present size."""
        if not self._peaks:
            return sha256(b"").digest()
        return reduce(lambda right, left: node_hash(left, right), reversed(self._peaks))


def split(path: bytes) -> list[bytes]:
    """The hashes of 32 bytes of a proof. Raises Failed if one is cut."""
    if len(path) % 32:
        raise Failed("the path is not a whole number of hashes")
    return [path[at : at + 32] for at in range(0, len(path), 32)]


def verify_inclusion(index: int, size: int, digest: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Raises Failed unless the leaf hash `digest` is at `index` of the tree (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        raise Failed(f"a tree of {size:,} has no entry {shown(index, 30)}")
    at, last, reached = index, size - 1, digest
    for sibling in path:
        if last == 0:
            raise Failed("the path is too long")
        if at & 1 or at == last:
            reached = node_hash(sibling, reached)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        at, last = at >> 1, last >> 1
    if last or reached != root:
        raise Failed("the path does not lead from the leaf to the root")


def verify_consistency(old_size: int, new_size: int, old: bytes, new: bytes, path: Sequence[bytes]) -> None:
    """Raises Failed unless the tree of root `new` begins with that of root `old` (RFC 9162 §2.1.4.2)."""
    if not 0 < old_size <= new_size:
        raise Failed("the earlier checkpoint is not the smaller one")
    if old_size == new_size:
        if path:
            raise Failed("the path is too long")
        if old != new:
            raise Failed("two histories: the roots at one size differ")
        return
    if not path:
        raise Failed("the path is too short")
    hashes = [old, *path] if old_size & (old_size - 1) == 0 else path
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise Failed("the path is too long")
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    if last or before != old or after != new:
        raise Failed("two histories: the later tree does not begin with the earlier one")


# Keys and checkpoints ------------------------------------------------------------------------------------------------

_ORIGIN = re.compile(r"(parecer/[0-9a-f]{16})(?:/([2-9]|[1-9][0-9]{1,8}))?")
_SIZE = re.compile(r"[1-9][0-9]{0,17}")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_TYPED_SIGNATURE = re.compile(r"(?:—|–|--?) *(\S+) +(\S+)")
_MOST_SIGNATURES = 100


class Key(NamedTuple):
    """An Ed25519 key to check signatures with."""

    name: str
    #: The first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public).
    id: bytes
    #: 32 bytes.
    public: bytes

    def __str__(self) -> str:
        return shown(f"{self.name}+{self.id.hex()}")

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature`, of 64 bytes, is this key's over `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


def read_key(text: str) -> Key:
    """A key from `NAME+ID+BASE64`. Raises Malformed, also if the id is not that of name and key."""
    name, *rest = text.split("+", 2)
    if len(rest) != 2 or not name or not name.isprintable() or re.search(r"\s", name):
        raise Malformed("a key is NAME+ID+BASE64")
    typed = from_base64(rest[1])
    if len(typed) != 33 or typed[0] != 1:
        raise Malformed("it is no Ed25519 key")
    key_id = sha256(encoded(name) + b"\n" + typed).digest()[:4]
    if key_id.hex() != rest[0]:
        raise Malformed("its id is not that of name and key: a character is wrong")
    return Key(name, key_id, typed[1:])


class Note(NamedTuple):
    """A checkpoint, not yet trusted."""

    #: What was signed.
    text: str
    #: Key name, and key id with signature.
    signatures: tuple[tuple[str, bytes], ...]
    origin: str
    #: The origin without its epoch, which is the name of the desk's keys.
    desk: str
    #: 1, and one more for each restore that lost entries.
    epoch: int
    size: int
    #: 32 bytes.
    root: bytes


def read_note(note: str) -> Note:
    """A checkpoint from a signed note. Raises Malformed."""
    encoded(note)
    text, parted, signed = note.rpartition("\n\n")
    if not parted or not signed.endswith("\n") or re.search(r"[\0-\x09\x0b-\x1f]", note):
        raise Malformed("it is no signed note")
    signatures = tuple(_read_signature(line) for line in signed[:-1].split("\n", _MOST_SIGNATURES))
    head = text.split("\n")
    origin = _ORIGIN.fullmatch(head[0])
    if len(head) < 3 or not all(head) or not origin or not _SIZE.fullmatch(head[1]):
        raise Malformed("it is no checkpoint of a desk: origin, size and root are expected")
    root = from_base64(head[2])
    if len(root) != 32:
        raise Malformed("its root is not 32 bytes")
    return Note(text + "\n", signatures, head[0], origin[1], int(origin[2] or 1), int(head[1]), root)


def _read_signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.fullmatch(line)
    if not found:
        raise Malformed("it has a signature line that is none")
    return found[1], from_base64(found[2])


def read_pasted_note(pasted: str) -> Note:
    """As `read_note`, from a file that editors and people have had: line ends, spaces and dashes are put right."""
    try:
        return read_note(pasted)
    except Malformed:
        lines = [line.strip() for line in pasted.removeprefix("\ufeff").splitlines()]
        lines = [line for line in lines if line]
    first = len(lines)
    while first and _TYPED_SIGNATURE.fullmatch(lines[first - 1]):
        first -= 1
    signatures = [_TYPED_SIGNATURE.sub(r"— \1 \2", line) for line in lines[first:]]
    return read_note("\n".join([*lines[:first], "", *signatures, ""]))


@dataclass
class Ring:
    """The keys that a checkpoint may be signed with."""

    #: Those that came from outside, and are the only ones trusted if there are any, with those that they vouch for.
    given: Sequence[Key]
    #: Those in the file that is being checked.
    own: Sequence[Key] = ()

    def signers(self, note: Note) -> list[Key]:
        """The keys of the note's desk that signed it; lines of unknown keys are passed over.

        Raises Failed if a line claims one of the keys and does not verify.
        """
        known = {(key.name, key.id): key for key in (*self.own, *self.given)}
        found: dict[Key, None] = {}
        for name, signature in note.signatures:
            key = known.get((name, signature[:4]))
            if key is None:
                continue
            if not key.signed(note.text.encode(), signature[4:]):
                raise Failed(f"the signature of {key} does not verify")
            found[key] = None
        return [key for key in found if key.name == note.desk]

    def vouch(self, note: Note, strictly: bool = True) -> str:
        """Who signed. Raises Failed if no trusted key did, or unless `strictly` none at all, or a signature fails."""
        found = self.signers(note)
        trusted = [key for key in found if key in self.given] if self.given else found
        if trusted:
            # Whoever signs along with a trusted key is its successor: so a desk changes its key.
            self.given = [*self.given, *(key for key in found if self.given and key not in self.given)]
            return ", ".join(sorted({str(key) for key in trusted}))
        if found and not strictly:
            return ", ".join(sorted({str(key) for key in found})) + " (not given with --key)"
        raise Failed(
            f"the checkpoint of size {note.size:,} is signed by none of the keys; "
            "if the desk has changed its key, give the new one too"
        )


# What comes from outside ---------------------------------------------------------------------------------------------


class Anchor(NamedTuple):
    """A checkpoint that somebody has kept elsewhere."""

    size: int
    #: In hexadecimal digits, whole or its first 32 at least; those typed may hold letters that are none.
    root: str
    #: Unless it was typed.
    note: Note | None = None

    def __str__(self) -> str:
        return f"the outside checkpoint of size {self.size:,}"

    def compare(self, root: bytes) -> None:
        """Raises Unreadable if `root` is another by a slip of the hand only, Failed if it is another."""
        pairs = zip(self.root, root.hex(), strict=False)
        wrong = [place for place, (mine, theirs) in enumerate(pairs) if mine != theirs]
        if not wrong:
            return
        if self.note is None and len(wrong) <= MOST_TYPOS:
            groups = ", ".join(str(group) for group in sorted({place // 4 + 1 for place in wrong}))
            raise Unreadable(
                f"{self} looks mistyped in group {groups} of its 16 groups of 4 digits; compare it with the paper"
            )
        raise Failed(f"{self} has another root: this is not the history that it was taken of")


def read_typed(size: str, root: str) -> Anchor:
    """A checkpoint typed from paper. Raises Malformed."""
    size = size.replace(",", "").replace(".", "")
    if not _SIZE.fullmatch(size):
        raise Malformed("the size is a number from 1, without signs")
    if root.rstrip().endswith("="):
        digest = from_base64("".join(root.split()))
        if len(digest) != 32:
            raise Malformed("the root is not 32 bytes")
        return Anchor(int(size), digest.hex())
    groups = re.split(r"[\s\u2010-\u2015-]+", root.strip().lower())
    odd = [place for place, group in enumerate(groups[:-1], 1) if len(group) != 4]
    if len(groups) >= FEWEST_DIGITS // 4 and 0 < len(odd) <= 2:
        raise Malformed(f"group {odd[0]} of the root is not of 4 digits; compare it with the paper")
    digits = "".join(groups)
    if not re.fullmatch(r"[0-9a-z]*", digits) or len(re.sub("[0-9a-f]", "", digits)) > MOST_TYPOS:
        raise Malformed("the root is neither hexadecimal nor base64")
    if not FEWEST_DIGITS <= len(digits) <= 64:
        raise Malformed(
            f"the root has {len(digits)} digits; type all 64, or the first {FEWEST_DIGITS} at least"
        )
    return Anchor(int(size), digits)


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LONGEST_NOTE + 1)
    if len(content) > LONGEST_NOTE:
        raise Malformed("it is too long for what it should be")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed("it is no UTF-8; save it as UTF-8") from None


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:
        return False


def given_anchor(given: str) -> Anchor:
    """The checkpoint in a file, or typed as `SIZE ROOT`. Raises Unreadable."""
    try:
        text = _text_of(Path(given)) if _is_file(given) else given
        typed = re.fullmatch(r"\s*([0-9][0-9,.]*)[\s:]+(\S.*)", text, re.DOTALL)
        if typed:
            return read_typed(typed[1], typed[2])
        note = read_pasted_note(text)
    except (Malformed, OSError) as error:
        hint = 'give the file of a checkpoint, or "SIZE ROOT" from paper'
        raise Unreadable(f"checkpoint {shown(given, 60)}: {_why(error)}; {hint}") from None
    return Anchor(note.size, note.root.hex(), note)


def given_keys(given: str) -> list[Key]:
    """The key given as text, or those in a file, one a line. Raises Unreadable."""
    try:
        lines = _text_of(Path(given)).splitlines() if _is_file(given) else [given]
        keys = [read_key(line.strip()) for line in lines if line.strip()]
        if not keys:
            raise Malformed("there is none")
    except (Malformed, OSError) as error:
        hint = "give NAME+ID+BASE64, or a file of such lines"
        raise Unreadable(f"key {shown(given, 60)}: {_why(error)}; {hint}") from None
    return keys


def _why(error: Exception) -> str:
    """The reason alone, without paths and numbers of the operating system."""
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)


class Bridge(NamedTuple):
    """Two checkpoints of which the later was shown to go on from the earlier."""

    old: Note
    new: Note


class Outside(NamedTuple):
    """What the caller has besides the file."""

    keys: Sequence[Key] = ()
    anchors: Sequence[Anchor] = ()
    bridges: Sequence[Bridge] = ()

    def anchored(self, anchor: Anchor, note: Note) -> int:
        """How many entries of the tree of `note` the checkpoint vouches for; 0 if nothing joins the two.

        Raises Failed and Unreadable as `Anchor.compare`.
        """
        self.own(anchor, note.desk)
        if anchor.size == note.size:
            anchor.compare(note.root)
            return note.size
        for bridge in self.bridges:
            roots = {bridge.old.size: bridge.old.root, bridge.new.size: bridge.new.root}
            if roots.keys() == {anchor.size, note.size}:
                if roots[note.size] != note.root:
                    raise Failed("two histories: the consistency proof is of another tree than the file")
                anchor.compare(roots[anchor.size])
                return min(anchor.size, note.size)
        return 0

    def own(self, anchor: Anchor, desk: str) -> None:
        """Raises Failed if an outside checkpoint is of another desk, or signed wrongly in the name of a given key."""
        if anchor.note is None:
            return
        if anchor.note.desk != desk:
            raise Failed(f"{anchor} is of {anchor.note.desk}, and the file of {desk}")
        try:
            Ring(self.keys).signers(anchor.note)
        except Failed as error:
            raise Failed(f"{anchor}: {error}") from None


# Entries -------------------------------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """What the leaf of a sort of entry holds."""

    format: int
    prefix: str
    types: tuple[type, ...]


_NUMBERS = {"about", "at", "cached", "created", "finished", "format", "user", "writer_seq"}
_COMMON = {"format", "id", "user", "writer", "writer_seq"}
_EVENT = _COMMON | {"at", "facts", "kind"}
_PREDICTION = _COMMON | {"artifact", "channel", "created", "finished", "inputs", "model", "output", "request"}
_PREDICTION |= {"role", "schema", "version"}


def _shape(number: int, prefix: str, names: set[str]) -> tuple[tuple[str, ...], Shape]:
    order = tuple(sorted(names))
    return order, Shape(number, prefix, tuple(int if name in _NUMBERS else str for name in order))


#: By the names of the members, in the order in which they must come.
SHAPES = dict(
    [
        _shape(1, "pred_", _PREDICTION),
        _shape(2, "pred_", _PREDICTION | {"cached", "engine", "timings"}),
        _shape(1, "evt_", _EVENT),
        _shape(2, "evt_", _EVENT | {"about"}),
    ]
)
_NOTED = ("review", "outcome")
_LEAF_ONLY = {"leaf"}
_OF_PREDICTION = {"leaf", "inputs", "output", "salts"}
_OF_EVENT = {"leaf", "facts", "salt"}
_OF_NOTED = _OF_EVENT | {"note", "note_salt"}


_ALONE = "is missing, but not what belongs to it"


class Finding(NamedTuple):
    """Something that an entry lacks or contradicts."""

    what: str
    #: The id that an erasure must list for this to be in order; empty if nothing could put it in order.
    excuse: str = ""


def read_leaf(canonical: str) -> dict[str, Any]:
    """The members of a leaf. Raises Malformed unless they are those of a prediction or an event, in order."""
    leaf = parse_object(canonical)
    shape = SHAPES.get(tuple(leaf))
    if shape is None or tuple(map(type, leaf.values())) != shape.types:
        raise Malformed("the leaf has not the members of a prediction or an event")
    # The shift is for negative numbers and those too long to be printed.
    if leaf["format"] != shape.format or not leaf["id"].startswith(shape.prefix) or leaf["writer_seq"] >> 63:
        raise Malformed("the leaf is of no known format")
    return leaf


def commits(leaf: Mapping[str, Any], name: str, key: bytes, text: object) -> bool:
    """Whether HMAC-SHA-256 of `text` under `key` is the member `name`. Raises Malformed if `text` is no text."""
    if type(text) is not str:
        raise Malformed(f"{name} {_ALONE if text is None else 'is no text'}")
    return bool(hmac.digest(key, encoded(text), "sha256").hex() == leaf[name])


def findings(leaf: Mapping[str, Any], entry: Mapping[str, Any]) -> list[Finding]:
    """What in an entry with personal parts does not agree with its leaf. Raises Malformed."""
    if "output" in leaf:
        return _findings_of_prediction(leaf, entry)
    return _findings_of_event(leaf, entry)


def _findings_of_prediction(leaf: Mapping[str, Any], entry: Mapping[str, Any]) -> list[Finding]:
    if entry.keys() != _OF_PREDICTION:
        raise Malformed("it has not the members of a prediction")
    inputs, output, salts = entry["inputs"], entry["output"], entry["salts"]
    if inputs is None and output is None and salts is None:
        return [Finding("inputs and output are missing, and no erasure lists it", leaf["id"])]
    keys = _salt("salts", salts, 64)
    found = []
    if not commits(leaf, "inputs", keys[:32], inputs):
        found.append(Finding("inputs do not agree with the leaf"))
    if not commits(leaf, "output", keys[32:], output):
        found.append(Finding("output does not agree with the leaf"))
    return found


def _findings_of_event(leaf: Mapping[str, Any], entry: Mapping[str, Any]) -> list[Finding]:
    noted = leaf["kind"] in _NOTED
    if entry.keys() != (_OF_NOTED if noted else _OF_EVENT):
        raise Malformed(f"it has not the members of an event of kind {shown(leaf['kind'], 40)}")
    text, salt = entry["facts"], entry["salt"]
    if text is None and salt is None:
        if noted and (entry["note"] is not None or entry["note_salt"] is not None):
            raise Malformed("facts are missing, but not its note")
        return [Finding("facts are missing, and no erasure lists it", leaf["id"])]
    if not commits(leaf, "facts", _salt("salt", salt, 32), text):
        return [Finding("facts do not agree with the leaf")]
    facts = parse_object(text)
    return _findings_of_note(facts, entry["note"], entry["note_salt"]) if noted else []


def _findings_of_note(facts: Mapping[str, Any], note: object, salt: object) -> list[Finding]:
    if type(facts.get("note")) is not str or type(facts.get("record")) is not str:
        raise Malformed("the facts have no note and record")
    if note is None and salt is None:
        return [Finding("its note is missing, and no erasure lists its record", facts["record"])]
    if not commits(facts, "note", _salt("note_salt", salt, 32), note):
        return [Finding("its note does not agree with the facts")]
    return []


def _salt(name: str, text: object, size: int) -> bytes:
    try:
        return from_hex(text, size)
    except Malformed as error:
        raise Malformed(f"{name} {_ALONE}" if text is None else f"{name}: {error}") from None


def erased_by(facts: Mapping[str, Any]) -> list[str]:
    """The ids that an erasure lists. Raises Malformed."""
    listed: list[str] = []
    for part in facts.get("records"), facts.get("events", []):
        if type(part) is not list or any(type(one) is not str for one in part):
            raise Malformed("the facts of the erasure list no ids")
        listed += part
    return listed


# Reports -------------------------------------------------------------------------------------------------------------


def say(line: str = "") -> None:
    """One line to standard output."""
    sys.stdout.write(line + "\n")


def row(label: str, text: str) -> None:
    """One line of a report; `text` must be fit for a terminal."""
    say(f"{label:<12} {text}")


def tell(label: str, sentence: str) -> None:
    """As `row`, over as many lines as it takes."""
    indent = " " * 13
    say(fill(sentence, 110, initial_indent=f"{label:<12} ", subsequent_indent=indent, break_on_hyphens=False))


def counted(number: int, one: str, many: str = "") -> str:
    """`1 entry`, `2,000 entries`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


_ONLY_ANCHORED = "only a checkpoint kept elsewhere can show that the desk itself"
_GIVE = "Give one with --checkpoint"
_NO_KEY = (
    "those in the file itself. This shows damage, not forgery: a forger puts a key of his own into the file. "
    "Give the desk's key, as you know it from elsewhere, with --key"
)


class Listing:
    """How many there were of something, and the first of them by name."""

    def __init__(self) -> None:
        self.count = 0
        self.named: list[str] = []

    def add(self, what: str) -> None:
        """`what` must be fit for a terminal."""
        self.count += 1
        if self.count <= NAMED:
            self.named.append(what)

    def tell(self, label: str) -> None:
        """Print it."""
        row(label, f"{self.count:,}")
        for name in self.named:
            say(f"  {name}")
        if self.count > NAMED:
            say(f"  and {self.count - NAMED:,} more")


class Report:
    """What has come out, and what to conclude."""

    def __init__(self, keys_given: bool) -> None:
        self.altered, self.gaps, self.unread = Listing(), Listing(), Listing()
        self.remarks: list[str] = []
        self.anchored = 0
        self._keys_given = keys_given

    def weigh(self, anchor: Anchor, note: Note, outside: Outside) -> bool:
        """Compare the tree of `note` with an outside checkpoint; False if nothing joins the two."""
        try:
            size = outside.anchored(anchor, note)
        except Failed as error:
            self.altered.add(str(error))
        except Unreadable as error:
            self.unread.add(str(error))
        else:
            self.anchored = max(self.anchored, size)
            return size > 0
        return True

    def weigh_all(self, note: Note, outside: Outside) -> None:
        """Compare the tree of `note` with every outside checkpoint, and say what would join those apart."""
        for anchor in outside.anchors:
            if not self.weigh(anchor, note, outside):
                self.remarks.append(
                    f"{anchor} and that of size {note.size:,} need a consistency proof between them: "
                    "have the desk make one, and give it with --consistency FILE"
                )

    def tell_anchored(self, size: int) -> None:
        """Print how much of a tree of `size` entries outside checkpoints vouch for."""
        number = min(self.anchored, size)
        if number:
            what = "the leaves of the first" if self.altered.count else "the first"
            count = counted(number, "entry is as it was", "entries are as they were")
            row("anchored", f"{what} {count} when the checkpoint was taken")
        if number < size:
            count = counted(size - number, "entry", "entries")
            tell("unanchored", f"{count} unanchored: {_ONLY_ANCHORED} has not rewritten them. {_GIVE}")

    def conclude(self, whole: bool, complete: bool = True) -> int:
        """Print the rest; `whole` is whether everything is anchored, `complete` whether nothing was left out. The
        exit code."""
        for remark in self.remarks:
            tell("note", remark)
        if not self._keys_given:
            tell("keys", _NO_KEY)
        for label, listing in ("altered", self.altered), ("gaps", self.gaps), ("not read", self.unread):
            if listing.count:
                listing.tell(label)
        if self.altered.count or self.gaps.count:
            say("ALTERED: see above.")
            return ALTERED
        if self.unread.count:
            say("NOT DECIDED: see above.")
            return UNREADABLE
        if whole and complete and self._keys_given:
            say("INTACT: nothing is altered, and everything is anchored.")
            return INTACT
        lacking = {
            "an anchor for all of it": not whole,
            "a key from outside": not self._keys_given,
            "what was erased or left out": not complete,
        }
        missing = " and ".join(what for what, lacks in lacking.items() if lacks)
        say(f"NOT SHOWN TO BE ALTERED, but without {missing}.")
        return UNANCHORED


# Proofs --------------------------------------------------------------------------------------------------------------


def take(document: Mapping[str, Any], **types: type) -> list[Any]:
    """The members of those names. Raises Unreadable if one is missing or of another type."""
    for name, kind in types.items():
        if type(document.get(name)) is not kind:
            raise Unreadable(f"member {name} is missing or of a wrong type; fetch the file again")
    return [document[name] for name in types]


def _only(document: Mapping[str, Any], names: set[str]) -> None:
    if document.keys() != names:
        odd = ", ".join(sorted(document.keys() ^ names))
        raise Unreadable(
            f"these members are missing or do not belong: {shown(odd, 100)}; fetch the file again"
        )


def _keys_in(listed: list[Any]) -> list[Key]:
    try:
        return [read_key(key) if type(key) is str else read_key("") for key in listed]
    except Malformed as error:
        raise Unreadable(f"a key in the file: {error}; fetch the file again") from None


def _note_in(text: str) -> Note:
    try:
        return read_note(text)
    except Malformed as error:
        raise Unreadable(f"a checkpoint in the file: {error}; fetch the file again") from None


def _path_in(text: str) -> list[bytes]:
    try:
        return split(from_base64(text))
    except Malformed as error:
        raise Unreadable(f"the path: {error}; fetch the file again") from None


_FRAME = {"format", "id", "index", "path", "checkpoint", "keys"}


def check_proof(document: dict[str, Any], outside: Outside) -> int:
    """Check the proof of one entry, and print what it says; the exit code. Raises Unreadable."""
    name, canonical, index, path = take(document, id=str, leaf=str, index=int, path=str)
    text, listed = take(document, checkpoint=str, keys=list)
    note, hashes, ring = _note_in(text), _path_in(path), Ring(outside.keys, _keys_in(listed))
    entry = {member: part for member, part in document.items() if member not in _FRAME}
    report = Report(bool(outside.keys))
    try:
        leaf, digest = read_leaf(canonical), leaf_hash(encoded(canonical))
        found = findings(leaf, entry)
    except Malformed as error:
        raise Unreadable(f"the entry: {error}; fetch the file again") from None
    _report_findings(report, found)
    if leaf["id"] != name:
        report.altered.add("the id is not that of the leaf")
    try:
        verify_inclusion(index, note.size, digest, hashes, note.root)
        signed = ring.vouch(note)
    except Failed as error:
        report.altered.add(str(error))
    if not report.altered.count:
        tell_entry(leaf, entry)
        row("place", f"entry {index + 1:,} of {note.size:,} of {note.origin}")
        row("signed by", signed)
    report.weigh_all(note, outside)
    return _conclude_proof(report, index, complete=not any(finding.excuse for finding in found))


def _report_findings(report: Report, found: list[Finding]) -> None:
    for finding in found:
        if finding.excuse:
            report.remarks.append(
                "what is missing was erased, or left out of this file: an export tells which"
            )
        else:
            report.altered.add(finding.what)


def _conclude_proof(report: Report, index: int, *, complete: bool) -> int:
    whole = report.anchored > index
    if whole:
        row("anchored", "the entry is as it was when the checkpoint was taken")
    elif report.anchored:
        tell(
            "unanchored",
            f"the checkpoint is older than the entry: it vouches for the {report.anchored:,} before only",
        )
    else:
        tell("unanchored", f"{_ONLY_ANCHORED} has not rewritten the entry. {_GIVE}")
    return report.conclude(whole, complete)


def tell_entry(leaf: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    """Print what a verified entry says."""
    row("id", shown(leaf["id"]))
    if "output" not in leaf:
        row("event", f"{shown(leaf['kind'])}, by user {shown(leaf['user'], 30)}")
        row("time", moment(leaf["at"]))
        row("facts", "erased" if entry["facts"] is None else shown(entry["facts"]))
        if leaf["kind"] in _NOTED:
            row("note", "erased" if entry["note"] is None else shown(entry["note"]))
        return
    row("model", f"{shown(leaf['model'])}, version {shown(leaf['version'])}")
    row("artifact", f"SHA-256 {shown(leaf['artifact'])}")
    row("time", moment(leaf["created"]))
    row("channel", shown(leaf["channel"]))
    if entry["inputs"] is None:
        row("answer", "erased, as are the inputs")
        return
    _tell_answer(entry["output"])
    _tell_inputs(entry["inputs"])


def _tell_answer(text: str) -> None:
    try:
        output = parse_object(text)
    except Malformed as error:
        row("answer", f"{shown(text)} ({error})")
        return
    label = output.get("label")
    answer = compact(output.get("prediction") if label is None else label)
    unit = output.get("unit")
    row("answer", answer if unit is None else f"{answer} {compact(unit)}")


def _tell_inputs(text: str) -> None:
    try:
        inputs = parse_object(text)
    except Malformed as error:
        row("inputs", f"{shown(text)} ({error})")
        return
    for part, value in inputs.items():
        if type(value) is not dict:
            row("inputs", f"{shown(part, 60)}: {compact(value)}")
            continue
        row("inputs", f"{shown(part, 60)}:")
        for name, one in value.items():
            say(f"  {shown(name, 100)} = {compact(one)}")


def read_bridge(document: dict[str, Any], keys: Sequence[Key]) -> tuple[Bridge, str]:
    """The two checkpoints of a consistency proof that holds, and who signed. Raises Unreadable and Failed."""
    _only(document, {"format", "from", "to", "path", "keys"})
    old, new, path, listed = take(document, **{"from": str, "to": str, "path": str, "keys": list})
    bridge, ring = Bridge(_note_in(old), _note_in(new)), Ring(keys, _keys_in(listed))
    old, new = bridge
    if old.desk != new.desk:
        raise Failed("the checkpoints are of two desks")
    verify_consistency(old.size, new.size, old.root, new.root, _path_in(path))
    signed = {ring.vouch(old): None, ring.vouch(new): None}
    return bridge, "; then ".join(signed)


def check_consistency(document: dict[str, Any], outside: Outside) -> int:
    """Check a consistency proof, and print what it shows; the exit code. Raises Unreadable."""
    report = Report(bool(outside.keys))
    try:
        bridge, signed = read_bridge(document, outside.keys)
    except Failed as error:
        report.altered.add(str(error))
        return report.conclude(False)
    old, new = bridge
    first = f"that of {old.origin} at size {old.size:,}"
    tell("consistent", f"the tree of {new.origin} at size {new.size:,} begins with {first}")
    row("signed by", signed)
    report.weigh_all(new, outside._replace(bridges=[*outside.bridges, bridge]))
    report.tell_anchored(new.size)
    return report.conclude(report.anchored >= new.size)


# Exports -------------------------------------------------------------------------------------------------------------


class Progress:
    """A line that counts, on a terminal."""

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._begun = time.monotonic()

    def count(self, number: int) -> None:
        """Show `number` entries, and how many a second."""
        if self._shows:
            rate = number / max(time.monotonic() - self._begun, 0.001)
            sys.stderr.write(f"\r{number:,} entries, {rate:,.0f} a second ")
            sys.stderr.flush()

    def end(self) -> None:
        """Wipe the line."""
        if self._shows:
            sys.stderr.write("\r\033[K")


class Export:
    """One export on its way through; memory grows with its erased entries and its writers only."""

    def __init__(self, head: dict[str, Any], outside: Outside) -> None:
        _only(head, {"format", "origin", "size", "keys", "personal", "made"})
        self.origin, self.size, listed = take(head, origin=str, size=int, keys=list)
        self.personal, self.made = take(head, personal=bool, made=str)
        if not 0 < self.size < 1 << 63:
            raise Unreadable("its size is none; have the export made again")
        self.outside, self.ring = outside, Ring(outside.keys, _keys_in(listed))
        self.report = Report(bool(outside.keys))
        self.tree = Tree()
        self.agree = {"pred": 0, "evt": 0}
        self.checkpoints: Counter[str] = Counter()
        self._anchors = {anchor.size for anchor in outside.anchors}
        self._roots: dict[int, bytes] = {}
        self._series: dict[str, int] = {}
        self._missing: list[tuple[int, str, Finding]] = []
        self._erasures: dict[str, int] = {}
        self._last: Note | None = None
        self._sealed = 0
        self._broken = 0
        self._restores: list[int] = []

    def take(self, line: dict[str, Any]) -> None:
        """Take one line in. Raises Malformed if it is neither entry nor checkpoint."""
        canonical = line.get("leaf")
        if type(canonical) is str:
            self._take_entry(canonical, line)
            return
        text = line.get("checkpoint")
        if type(text) is not str or len(line) != 1:
            raise Malformed("it is neither an entry nor a checkpoint")
        self._take_checkpoint(read_note(text))

    def _take_entry(self, canonical: str, entry: dict[str, Any]) -> None:
        index = self.tree.size
        self.tree.add(leaf_hash(encoded(canonical)))
        if index + 1 in self._anchors:
            self._roots[index + 1] = self.tree.root()
        try:
            leaf = read_leaf(canonical)
        except Malformed as error:
            self.report.altered.add(f"entry {index + 1:,}: {error}")
            return
        try:
            self._compare(index, leaf, entry)
        except Malformed as error:
            self._alter(index, leaf["id"], str(error))
        self._follow(index, leaf)

    def _compare(self, index: int, leaf: dict[str, Any], entry: dict[str, Any]) -> None:
        if self.personal:
            found = findings(leaf, entry)
        elif entry.keys() != _LEAF_ONLY:
            raise Malformed("it has personal parts in an export without them")
        else:
            found = []
        for finding in found:
            if finding.excuse:
                self._missing.append((index, leaf["id"], finding))
            else:
                self._alter(index, leaf["id"], finding.what)
        if "kind" in leaf:
            self._take_event(index, leaf, entry, bool(found))
        if not found:
            self.agree["evt" if "kind" in leaf else "pred"] += 1

    def _take_event(self, index: int, leaf: dict[str, Any], entry: dict[str, Any], found: bool) -> None:
        if leaf["kind"] == "restore":
            self._restores.append(index)
        if leaf["kind"] == "erasure" and self.personal and not found:
            for name in erased_by(parse_object(entry["facts"])):
                self._erasures.setdefault(name, index)

    def _follow(self, index: int, leaf: dict[str, Any]) -> None:
        """See that no leaf of a writer is left out."""
        number, writer = leaf["writer_seq"], leaf["writer"]
        if "kind" in leaf:
            if number:
                self._alter(index, leaf["id"], "an event has a place in a series")
            return
        expected = self._series.get(writer, 0)
        self._series[writer] = max(number + 1, expected)
        if number > expected:
            self.report.gaps.add(f"writer {shown(writer, 60)}: {expected} to {number - 1} are not there")
        elif number < expected:
            self._alter(index, leaf["id"], f"place {number:,} of its series was taken before")

    def _alter(self, index: int, name: str, what: str) -> None:
        self.report.altered.add(f"entry {index + 1:,}, {shown(name, 80)}: {what}")

    def _take_checkpoint(self, note: Note) -> None:
        before, self._last = self._last, note
        where = f"the checkpoint of size {note.size:,}"
        if note.size != self.tree.size:
            self.report.altered.add(f"{where} comes after {counted(self.tree.size, 'entry', 'entries')}")
            return
        self._order(where, before, note)
        try:
            # The root of the last covers what other keys of the desk have signed before.
            self.checkpoints[self.ring.vouch(note, strictly=note.size == self.size)] += 1
        except Failed as error:
            self.report.altered.add(str(error) if note.size == self.size else f"{where}: {error}")
            return
        if note.root == self.tree.root():
            self._sealed = note.size
        else:
            self._broken += 1
            if self._broken == 1:
                span = f"entries {self._sealed + 1:,} to {note.size:,}"
                self.report.altered.add(f"{span}: their leaves are not those that {where} was signed for")

    def _order(self, where: str, before: Note | None, note: Note) -> None:
        if before and note.size <= before.size:
            self.report.altered.add(f"{where} comes twice")
        origin, desk = (before.origin, before.desk) if before else (note.desk, note.desk)
        size, epoch = (before.size, before.epoch) if before else (0, 1)
        if note.desk != desk or note.epoch < epoch:
            self.report.altered.add(f"{where} is of {note.origin}, after one of {origin}")
        elif note.epoch > epoch and (not self._restores or self._restores[-1] < size):
            self.report.altered.add(f"{where} is of {note.origin}, but no restore is on the record before it")

    def finish(self) -> int:
        """Print the report; the exit code."""
        self._end()
        size = counted(self.tree.size, "entry", "entries")
        row("export", f"of {shown(self.origin, 60)}, made {shown(self.made, 40)}: {size}")
        agreeing = f"{counted(self.agree['pred'], 'prediction')} and {counted(self.agree['evt'], 'event')}"
        if self.personal:
            row("agree", f"{agreeing} with their leaves")
        else:
            row("read", f"{agreeing}; the export is without personal parts, so only leaves are checked")
        self._tell_erased()
        for who, count in self.checkpoints.most_common():
            row("checkpoints", f"{count:,} signed by {who}")
        self.report.tell_anchored(self.tree.size)
        return self.report.conclude(self.report.anchored >= self.tree.size)

    def _end(self) -> None:
        altered = self.report.altered
        if self._broken > 1:
            altered.add(f"{counted(self._broken - 1, 'later checkpoint')} likewise")
        if self.tree.size != self.size:
            altered.add(f"the export should have {self.size:,} entries and has {self.tree.size:,}")
        elif self._last is None or self._last.size != self.size:
            altered.add(f"the export does not end with its checkpoint of size {self.size:,}")
        elif self._last.origin != self.origin:
            altered.add("the origin of the export is not that of its newest checkpoint")
        for index in self._restores:
            self.report.remarks.append(
                f"the record was restored from a copy, by entry {index + 1:,}; what the copy lacked is lost"
            )
        self._anchor()

    def _anchor(self) -> None:
        last = self._last
        if last is None:
            return
        for anchor in self.outside.anchors:
            root = self._roots.get(anchor.size)
            note = last if root is None else last._replace(size=anchor.size, root=root)
            if not self.report.weigh(anchor, note, self.outside):
                self.report.altered.add(
                    f"{anchor} is beyond the {self.tree.size:,} entries of the export: it was made before, "
                    "or its end was cut off. Have a new one made"
                )

    def _tell_erased(self) -> None:
        by: Counter[int] = Counter()
        for index, name, finding in self._missing:
            eraser = self._erasures.get(finding.excuse)
            if eraser is None:
                self._alter(index, name, finding.what)
            else:
                by[eraser] += 1
        if by:
            few = ", ".join(
                f"{count:,} by entry {index + 1:,}" for index, count in sorted(by.items())[:NAMED]
            )
            row("erased", f"{sum(by.values()):,}: {few}{', …' if len(by) > NAMED else ''}")
        left = self._erasures.keys() - {finding.excuse for _, _, finding in self._missing}
        if left:
            count = counted(len(left), "id is", "ids are")
            self.report.remarks.append(f"{count} listed by an erasure, but not erased here")


_MADE_AGAIN = "the file is damaged or cut off: have it made again"


def check_export(head: dict[str, Any], lines: Iterable[bytes], outside: Outside) -> int:
    """Check an export, whose first line is `head`, and print the report; the exit code. Raises Unreadable."""
    export, progress, number = Export(head, outside), Progress(), 1
    try:
        for number, line in enumerate(lines, 2):
            export.take(parse_object(line.decode()))
            if number % 20_000 == 0:
                progress.count(export.tree.size)
    except UnicodeDecodeError:
        export.report.unread.add(f"line {number:,}: it is no UTF-8; {_MADE_AGAIN}")
    except Malformed as error:
        export.report.unread.add(f"line {number:,}: {error}; {_MADE_AGAIN}")
    except Unreadable as error:
        export.report.unread.add(f"after line {number:,}: {error}")
    else:
        progress.end()
        return export.finish()
    progress.end()
    return export.report.conclude(False)


# Files ---------------------------------------------------------------------------------------------------------------


def lines_of(path: str) -> Iterator[bytes]:
    """The lines of a file, unpacked if it is gzip by its first two bytes. Raises Unreadable; none is beyond LONGEST."""
    try:
        with io.BufferedReader(io.FileIO(path), 2**20) as file:
            reader: BinaryIO = file
            if file.peek(2)[:2] == b"\x1f\x8b":
                reader = io.BufferedReader(gzip.GzipFile(fileobj=file), 2**20)
            while line := reader.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    raise Unreadable(
                        f"a line is longer than {LONGEST // 2**20} MB; this is none of the desk's files"
                    )
                yield line
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise Unreadable(f"{shown(path, 200)}: {why or 'it cannot be unpacked'}") from None
    except (EOFError, zlib.error):
        raise Unreadable(
            f"{shown(path, 200)}: the packed file is damaged or cut off; fetch it again"
        ) from None


#: So many lines a proof may be spread over, lest a packed file of line ends takes for ever.
_MOST_LINES = 100_000


def read_document(path: str) -> tuple[dict[str, Any], Iterator[bytes]]:
    """The JSON object that a file begins with, and the lines after it. Raises Unreadable.

    An object over several lines must be all that is in the file.
    """
    lines = lines_of(path)
    head = next(lines, b"")
    try:
        return parse_object(head.decode()), lines
    except (Malformed, UnicodeDecodeError):
        whole = bytearray(head)
    for line in islice(lines, _MOST_LINES):
        whole += line
        if len(whole) > LONGEST:
            break
    try:
        return parse_object(whole.decode()), lines
    except (Malformed, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, Malformed) else "it is no UTF-8"
        why = "a checkpoint goes with --checkpoint" if whole.startswith(b"parecer/") else why
        raise Unreadable(
            f"{shown(path, 200)}: {why}; give a proof, a consistency proof or an export"
        ) from None


def _nothing_after(lines: Iterator[bytes]) -> None:
    rest = list(islice(lines, 3))
    if len(rest) == 3 or any(line.strip() for line in rest):
        raise Unreadable("there is something after the end of the proof; fetch the file again")


def given_bridge(path: str, keys: Sequence[Key]) -> Bridge:
    """The consistency proof in a file. Raises Unreadable and Failed."""
    document, lines = read_document(path)
    if document.get("format") != "parecer-consistency-1":
        raise Unreadable(f"{shown(path, 200)}: it is no consistency proof")
    _nothing_after(lines)
    return read_bridge(document, keys)[0]


def verify(path: str, outside: Outside) -> int:
    """Check one file, and print the report; the exit code. Raises Unreadable."""
    document, lines = read_document(path)
    kind = document.get("format")
    if kind == "parecer-export-1":
        return check_export(document, lines, outside)
    _nothing_after(lines)
    if kind == "parecer-proof-1":
        return check_proof(document, outside)
    if kind == "parecer-consistency-1":
        return check_consistency(document, outside)
    raise Unreadable(
        f"{shown(path, 200)}: it is of no format that this program knows; a newer one may know it"
    )


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Check a proof, a consistency proof or an export of a Parecer desk, apart from the desk.",
        epilog="Exit codes: 0 intact and anchored, under a key from outside; 3 not shown to be altered, but not all of "
        "that was given; 1 altered, or a signature or proof fails; 2 something cannot be read.",
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY|FILE",
        help="the desk's key, or a file of keys, one a line",
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="NOTE_FILE|'SIZE ROOT'",
        help="a checkpoint kept elsewhere: its file, or size and root from paper; may be repeated, as may the others",
    )
    parser.add_argument(
        "--consistency",
        action="append",
        default=[],
        metavar="FILE",
        help="a consistency proof to a kept checkpoint",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the command line names; the exit code."""
    options = _options().parse_args(arguments)
    try:
        keys = [key for given in options.key for key in given_keys(given)]
        anchors = [given_anchor(given) for given in options.checkpoint]
        bridges = [given_bridge(given, keys) for given in options.consistency]
        return verify(options.file, Outside(keys, anchors, bridges))
    except Failed as error:
        say(f"ALTERED: {error}.")
        return ALTERED
    except Unreadable as error:
        problem = str(error)
    except MemoryError:
        problem = "it does not fit into the memory of this machine"
    sys.stderr.write(f"Cannot be read: {problem}.\n")
    return UNREADABLE


def _run() -> int:
    """`main` for a terminal: whatever its encoding, and though the reader may leave or interrupt."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends, and would say that it could not.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREADABLE
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; nothing is decided.\n")
        return 130
    return code


if __name__ == "__main__":
    sys.exit(_run())
