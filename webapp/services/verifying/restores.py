"""Restores that are on the record: they say why a checkpoint of before does not hold any more."""

from __future__ import annotations

from typing import NamedTuple

import orjson
from sqlalchemy import Connection, select

from webapp.db import Event
from webapp.services.verifying.claims import Claim
from webapp.services.verifying.findings import Outside
from webapp.wording import said


class Restore(NamedTuple):
    """Entries after `lost_after` were lost; `at_us` is when, in microseconds UTC."""

    id: str
    at_us: int
    before: str
    lost_after: int


def of(connection: Connection) -> list[Restore]:
    """Those that lost entries, oldest first."""
    found = []
    events = select(Event.id, Event.at_us, Event.facts).where(Event.kind == "restore").order_by(Event.seq)
    for row in connection.execute(events):
        facts = orjson.loads(row.facts) if row.facts else {}
        if isinstance(facts.get("lost_after"), int):
            found.append(Restore(row.id, row.at_us, str(facts.get("from", "")), facts["lost_after"]))
    return found


def outside(restores: list[Restore], claim: Claim, what: str) -> Outside:
    """Why a checkpoint does not hold, with the restore that may have done it."""
    for restore in restores:
        if (claim.size > restore.lost_after and claim.note is None) or _before(restore, claim):
            told = said(
                "{what}. An older state was restored, as event {id} says, and entries after the first {n} were lost",
                what=what,
                id=restore.id,
                n=restore.lost_after,
            )
            return Outside(claim.size, False, told, "restore")
    return Outside(claim.size, False, what)


def _before(restore: Restore, claim: Claim) -> bool:
    """Whether a signed checkpoint is of the log as it was before."""
    if claim.note is None or claim.size <= restore.lost_after:
        return False
    return claim.note.checkpoint.origin == restore.before
