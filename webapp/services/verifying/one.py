"""One record held against its entry, and the entry against the newest checkpoint: what a page of it says."""

from __future__ import annotations

from typing import NamedTuple

from webapp.db.base import session
from webapp.services import sealing
from webapp.services.sealing import Sealed, notes, proofs
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Unsound
from webapp.services.sealing.tree import around, climb
from webapp.services.verifying.findings import Findings
from webapp.services.verifying.leaves import GONE, Reader
from webapp.wording import said

OTHER_ENTRY = said("the entry is not the one that was sealed")
UNSIGNED = said("the newest checkpoint is not signed by a key of this installation")


class Standing(NamedTuple):
    """How a record stands: `wrong` says what is altered and is empty where nothing is; `place` in the tree is None
    while it is not sealed, and `sealed` is the newest checkpoint."""

    wrong: str
    place: int | None
    sealed: Sealed | None


def standing(keys: Keyring, record_id: str) -> Standing:
    """Look at one prediction now. Erased contents are no fault where the record names its erasure; whether that is on
    the record too, and all else, only a verification of everything tells."""
    found = Findings()
    reader = Reader(session().connection(), found)
    row = reader.one(record_id)
    newest = sealing.newest()
    if row is None:
        return Standing(GONE, None, newest)
    [digest] = reader.check([row], lambda _: None)
    wrong = found.altered[0].what if found.altered else ""
    if newest is None:
        return Standing(wrong, None, None)
    index = proofs.index(row[0], digest)
    if index is None:
        was_sealed = row[0] <= sealing.log().last_seq
        return Standing(wrong or (OTHER_ENTRY if was_sealed else ""), None, newest)
    return Standing(wrong or _unproved(keys, newest, index, digest), index, newest)


def _unproved(keys: Keyring, newest: Sealed, index: int, digest: bytes) -> str:
    try:
        note = notes.read(newest.note)
        signed = bool(note.by(keys.known()))
    except Unsound:
        return UNSIGNED
    if not signed:
        return UNSIGNED
    size = note.checkpoint.size
    path = sealing.prover(around(index, size)).inclusion(index, size)
    return "" if climb(index, size, digest, path) == note.checkpoint.root else OTHER_ENTRY
