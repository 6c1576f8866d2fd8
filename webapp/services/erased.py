"""What is told of erased records: when, by whom, and on which legal basis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from sqlalchemy import select

from webapp.db import Event, User
from webapp.db.base import session
from webapp.wording import said

RETENTION = "retention"
#: Why something may be erased: the code that is kept, and what it means.
BASES = {
    "lgpd-18-iv": said("LGPD art. 18, IV: the data are unnecessary, excessive or processed unlawfully"),
    "lgpd-18-vi": said(
        "LGPD art. 18, VI: the data subject has withdrawn the consent and asks for elimination"
    ),
    "lgpd-16": said("LGPD arts. 15 and 16: the processing has ended"),
    "gdpr-17-1-a": said("GDPR art. 17(1)(a): the data are no longer necessary for their purpose"),
    "gdpr-17-1-b": said("GDPR art. 17(1)(b): the data subject has withdrawn the consent"),
    "gdpr-17-1-c": said("GDPR art. 17(1)(c): the data subject objects to the processing"),
    "gdpr-17-1-d": said("GDPR art. 17(1)(d): the data have been processed unlawfully"),
    "gdpr-17-1-e": said("GDPR art. 17(1)(e): a law requires that they are erased"),
    RETENTION: said("the time is over for which records are kept"),
    "other": said("another reason, given in words"),
}
#: Who wanted it.
REQUESTERS = {
    "subject": said("the data subject"),
    "controller": said("the controller"),
    "authority": said("an authority"),
    RETENTION: said("the rule of retention"),
}


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure, as its event has it; `at_us` is microseconds UTC."""

    at_us: int
    #: None: the operator, or the rule of retention.
    user: str | None
    #: One of BASES.
    basis: str
    reason: str
    #: One of REQUESTERS.
    requested_by: str
    #: How many records it took, its own among them.
    records: int
    despite_floor: bool
    #: Whether it had to be done again, after an older copy of the database was restored.
    reapplied: bool
    event: str


def by_seq(seqs: Iterable[int]) -> dict[int, Erasure]:
    """Erasures by `events.seq`."""
    wanted = set(seqs)
    return {row.seq: _erasure(row, name) for row, name in _read(Event.seq.in_(wanted))} if wanted else {}


def latest(limit: int = 10) -> list[Erasure]:
    """The newest erasures, newest first."""
    return [_erasure(row, name) for row, name in _read(Event.kind == "erasure", limit=limit)]


def _read(condition: object, limit: int | None = None) -> list[tuple[Event, str | None]]:
    found = (
        select(Event, User.username)
        .outerjoin(User, User.id == Event.user_id)
        .where(condition)  # type: ignore[arg-type]
        .order_by(Event.at_us.desc(), Event.seq.desc())
        .limit(limit)
    )
    return [(row, name) for row, name in session().execute(found)]


def _erasure(event: Event, user: str | None) -> Erasure:
    facts = orjson.loads(event.facts) if event.facts else {}
    return Erasure(
        event.at_us,
        user,
        facts.get("basis", "other"),
        facts.get("reason", ""),
        facts.get("requested_by", "controller"),
        len(facts.get("records", ())),
        bool(facts.get("despite_floor")),
        bool(facts.get("reapplied")),
        event.id,
    )
