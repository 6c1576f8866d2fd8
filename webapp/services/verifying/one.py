"""One record held against its entry, and the entry against the newest checkpoint: what a page of it says."""

from __future__ import annotations

from typing import NamedTuple

from webapp.db.base import snapshot
from webapp.services import sealing
from webapp.services.sealing import Sealed, notes, proofs
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Unsound
from webapp.services.sealing.tree import climb
from webapp.services.verifying.findings import Findings
from webapp.services.verifying.leaves import GONE, Reader
from webapp.services.verifying.roots import remembered
from webapp.wording import said

OTHER_ENTRY = said("the entry is not the one that was sealed")
UNSIGNED = said("the newest checkpoint is not signed by a key of this installation")
OTHER_CHECKPOINT = said("the newest checkpoint is not the one that was signed")
NO_CHECKPOINT = said("the checkpoints that were signed here are gone")


class Standing(NamedTuple):
    """How a record stands: `wrong` says what is altered and is empty where nothing is; `place` in the tree is None
    while it is not sealed, and `sealed` is the newest checkpoint."""

    wrong: str
    place: int | None
    sealed: Sealed | None


def standing(keys: Keyring, record_id: str) -> Standing:
    """Look at one prediction now. Erased contents are no fault where the record names its erasure; whether that is on
    the record too, and all else, only a verification of everything tells."""
    signed, found = remembered(keys), Findings()  # of before the snapshot
    reader = Reader(snapshot().connection(), found)
    row = reader.one(record_id)
    newest = sealing.newest()
    if row is None:
        return Standing(GONE, None, newest)
    [digest] = reader.check([row], lambda _: None)
    wrong = found.altered[0].what if found.altered else ""
    if newest is None:
        return Standing(wrong or (NO_CHECKPOINT if signed else ""), None, None)
    place = proofs.index(row[0], digest)
    if place is None:
        return Standing(wrong or (OTHER_ENTRY if proofs.is_sealed(row[0]) else ""), None, newest)
    return Standing(wrong or _unproved(keys, newest, place, digest), place, newest)


def _unproved(keys: Keyring, newest: Sealed, place: int, digest: bytes) -> str:
    try:
        note = notes.read(newest.note)
        signers = note.by(keys.known())
    except Unsound:
        signers = []
    if not signers:
        return UNSIGNED
    if note.checkpoint != newest.checkpoint:
        return OTHER_CHECKPOINT
    path = sealing.inclusion(place, newest.size)
    return "" if climb(place, newest.size, digest, path) == newest.root else OTHER_ENTRY
