"""Trees, proofs and exports for tests/test_verifier.py, by the recursive definitions of RFC 6962: slow and plain."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAME = "parecer/1a2b3c4d5e6f7a8b"


class Log:
    """A tree over leaf hashes, RFC 6962 §2.1."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self.leaves = list(leaves)
        self._mth = cache(self._mth_of)

    def root(self, size: int) -> bytes:
        return self._mth(0, size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(m, D[n]), §2.1.1."""
        return self._path(index, 0, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """PROOF(m, D[n]), §2.1.2."""
        return self._subproof(old, 0, new, True)

    def _mth_of(self, start: int, end: int) -> bytes:
        if start == end:
            return hashlib.sha256().digest()
        if end - start == 1:
            return self.leaves[start]
        middle = start + _half(end - start)
        return hashlib.sha256(b"\x01" + self._mth(start, middle) + self._mth(middle, end)).digest()

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _half(end - start)
        if index < middle - start:
            return [*self._path(index, start, middle), self._mth(middle, end)]
        return [*self._path(index - (middle - start), middle, end), self._mth(start, middle)]

    def _subproof(self, old: int, start: int, end: int, whole: bool) -> list[bytes]:
        if old == end - start:
            return [] if whole else [self._mth(start, end)]
        half = _half(end - start)
        middle = start + half
        if old <= half:
            return [*self._subproof(old, start, middle, whole), self._mth(middle, end)]
        return [*self._subproof(old - half, middle, end, False), self._mth(start, middle)]


def _half(size: int) -> int:
    """The largest power of two below `size`."""
    half = 1
    while half * 2 < size:
        half *= 2
    return half


def leaf_hash(canonical: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + canonical).digest()


class Signer:
    """A key that signs notes."""

    def __init__(self, seed: int = 1, name: str = NAME) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.name = name
        typed = b"\x01" + self._key.public_key().public_bytes_raw()
        self.id = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(typed).decode()}"

    def line(self, text: str) -> str:
        return f"— {self.name} {base64.b64encode(self.id + self._key.sign(text.encode())).decode()}\n"


def signed(text: str, *signers: Signer) -> str:
    return text + "\n" + "".join(signer.line(text) for signer in signers)


def dense(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def commitment(salt: bytes, text: str) -> str:
    return hmac.new(salt, text.encode(), "sha256").hexdigest()


def salt(number: int, size: int = 32) -> bytes:
    return hashlib.shake_256(str(number).encode()).digest(size)


class Desk:
    """A record with its entries in tree order, each as it stands in an export."""

    def __init__(self, *signers: Signer) -> None:
        self.signers = signers or (Signer(),)
        self.entries: list[dict[str, Any]] = []

    @property
    def log(self) -> Log:
        return Log(leaf_hash(entry["leaf"].encode()) for entry in self.entries)

    def id(self, index: int) -> str:
        return str(json.loads(self.entries[index]["leaf"])["id"])

    def predict(self, seq: int, writer: str = "w1", number: int = 2, **parts: Any) -> str:
        """Add a prediction of leaf format `number`; its id."""
        index = len(self.entries)
        inputs = parts.get("inputs", dense({"received": {"age": index, "city": "São Paulo"}}))
        output = parts.get("output", dense({"label": "yes", "prediction": 1, "unit": None, "warnings": []}))
        salts = salt(index, 64)
        leaf = {
            "artifact": "6b" * 32,
            "channel": "api",
            "created": 1_795_235_297_293_146 + index,
            "finished": 1_795_235_297_308_890 + index,
            "format": number,
            "id": f"pred_{index:044x}",
            "inputs": commitment(salts[:32], inputs),
            "model": "purchase",
            "output": commitment(salts[32:], output),
            "request": f"{index:024x}",
            "role": "analyst",
            "schema": "ef" * 32,
            "user": 2,
            "version": "1",
            "writer": writer,
            "writer_seq": seq,
        }
        if number == 2:
            leaf |= {"cached": 0, "engine": "onnx", "timings": dense({"check": 12, "predict": 80})}
        leaf |= parts.get("leaf", {})
        self.entries.append({"leaf": dense(leaf), "inputs": inputs, "output": output, "salts": salts.hex()})
        return str(leaf["id"])

    def event(self, kind: str, facts: dict[str, Any], note: str | None = None, number: int = 2) -> str:
        """Add an event, with a note if it is of a kind that has one; its id."""
        index = len(self.entries)
        key, note_key = salt(index), salt(-index)
        if note is not None:
            facts = facts | {"note": commitment(note_key, note)}
        text = dense(facts)
        leaf = {
            "at": 1_795_235_300_000_000 + index,
            "facts": commitment(key, text),
            "format": number,
            "id": f"evt_{index:044x}",
            "kind": kind,
            "user": 1,
            "writer": f"e{index}",
            "writer_seq": 0,
        }
        if number == 2:
            leaf["about"] = 0
        entry: dict[str, Any] = {"leaf": dense(leaf), "facts": text, "salt": key.hex()}
        if note is not None:
            entry |= {"note": note, "note_salt": note_key.hex()}
        self.entries.append(entry)
        return str(leaf["id"])

    def erase(self, index: int, *names: str) -> None:
        """Take the personal parts of an entry, or those of these names, away; the erasure is another matter."""
        entry = self.entries[index]
        entry.update(dict.fromkeys(names or [name for name in entry if name != "leaf"]))

    def checkpoint(self, size: int | None = None, epoch: int = 1, signers: Sequence[Signer] = ()) -> str:
        size = len(self.entries) if size is None else size
        origin = NAME if epoch == 1 else f"{NAME}/{epoch}"
        text = f"{origin}\n{size}\n{base64.b64encode(self.log.root(size)).decode()}\n"
        return signed(text, *(signers or self.signers))

    def keys(self) -> list[str]:
        return [signer.vkey for signer in self.signers]

    def proof(self, index: int, size: int | None = None) -> dict[str, Any]:
        size = len(self.entries) if size is None else size
        return {
            "format": "parecer-proof-1",
            "id": self.id(index),
            "index": index,
            "path": joined(self.log.inclusion(index, size)),
            "checkpoint": self.checkpoint(size),
            "keys": self.keys(),
            **self.entries[index],
        }

    def consistency(self, old: int, new: int) -> dict[str, Any]:
        return {
            "format": "parecer-consistency-1",
            "from": self.checkpoint(old),
            "to": self.checkpoint(new),
            "path": joined(self.log.consistency(old, new)),
            "keys": self.keys(),
        }

    def export(
        self, *sizes: int, personal: bool = True, origin: str = NAME, **notes: str
    ) -> list[dict[str, Any]]:
        """The lines, with checkpoints at these sizes and at the end; `at_SIZE` takes the place of a plain one."""
        head = {
            "format": "parecer-export-1",
            "origin": origin,
            "size": len(self.entries),
            "keys": self.keys(),
        }
        lines: list[dict[str, Any]] = [head | {"personal": personal, "made": "2026-11-21T10:00:00Z"}]
        for size, entry in enumerate(self.entries, 1):
            lines.append(entry if personal else {"leaf": entry["leaf"]})
            if size in sizes or size == len(self.entries):
                lines.append({"checkpoint": notes.get(f"at_{size}") or self.checkpoint(size)})
        return lines


def small_desk(*signers: Signer) -> Desk:
    """Twelve entries: two writers, both leaf formats, a review, and an erasure of entry 1 with its review."""
    desk = Desk(*signers)
    desk.event("publish", {"model": "purchase"}, number=1)
    erased = desk.predict(0, number=1)
    desk.predict(1)
    desk.predict(0, "w2")
    desk.event("review", {"record": erased, "action": "overridden"}, dense({"reason": "a name"}))
    desk.event("outcome", {"record": desk.id(2), "source": "page"}, dense({"actual": "no"}))
    desk.predict(2)
    desk.event("sign-in", {"client": "page"})
    desk.predict(1, "w2")
    desk.erase(1)
    desk.erase(4, "note", "note_salt")
    desk.erase(7)
    desk.event("erasure", {"records": [erased], "events": [desk.id(7)], "reason": "asked for"})
    desk.predict(3)
    desk.predict(4)
    return desk


def joined(path: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(path)).decode()


def write_lines(path: Path, lines: Iterable[object]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def write_large_export(path: Path, count: int) -> str:
    """An export of `count` alike predictions with one checkpoint; the size and root of it, as typed."""
    desk = Desk()
    desk.predict(
        0, inputs=dense({"received": {f"feature_{n}": n * 1.25 for n in range(8)}}), output=_large_output()
    )
    entry = desk.entries[0]
    leaf = entry["leaf"].replace("0" * 44, "%044x").replace('"writer_seq":0', '"writer_seq":%d')
    line = json.dumps(entry | {"leaf": "LEAF"}).replace("%", "%%").replace('"LEAF"', "%s")
    level = []
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(desk.export()[0] | {"size": count}) + "\n")
        for index in range(count):
            canonical = leaf % (index, index)
            level.append(leaf_hash(canonical.encode()))
            file.write(line % json.dumps(canonical) + "\n")
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=False)
            odd = level[-1:] if len(level) % 2 else []
            level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
        text = f"{NAME}\n{count}\n{base64.b64encode(level[0]).decode()}\n"
        file.write(json.dumps({"checkpoint": signed(text, *desk.signers)}) + "\n")
    return f"{count} {level[0].hex()}"


def _large_output() -> str:
    scores = {"no": 0.123456789012, "yes": 0.876543210988}
    warning = {"feature": "feature_3", "kind": "range", "detail": "outside 0 to 2"}
    return dense(
        {"label": "yes", "prediction": 1, "probabilities": scores, "unit": None, "warnings": [warning]}
    )
