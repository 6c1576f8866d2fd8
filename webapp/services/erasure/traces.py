"""Where else a subject is named: in what was exported and printed, and in searches that people have saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from sqlalchemy import select

from webapp.db import Event, SavedFilter
from webapp.db.base import session
from webapp.services.targets import mentions

#: Words of a filter that hold what somebody has typed; the others are names of ours, times and figures.
TYPED = ("subject", "q", "label", "user")
KINDS = ("export", "print")
#: Events looked at with one query.
LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class Traces:
    """Ids of events whose facts name a subject, and of saved filters."""

    events: tuple[str, ...] = ()
    filters: tuple[int, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether there are none."""
        return not (self.events or self.filters)


def traces_of(subjects: Sequence[str]) -> Traces:
    """Where these subjects are named, outside of records."""
    if not subjects:
        return Traces()
    return Traces(tuple(_events(subjects)), tuple(_filters(subjects)))


def _events(subjects: Sequence[str]) -> Iterable[str]:
    seq = 0
    while True:
        rows = (
            session()
            .execute(
                select(Event.seq, Event.id, Event.facts)
                .where(Event.kind.in_(KINDS), Event.seq > seq, Event.facts.contains('"filter"'))
                .order_by(Event.seq)
                .limit(LOOKED_AT)
            )
            .all()
        )
        yield from (
            id for _, id, facts in rows if _named(orjson.loads(facts or "{}").get("filter"), subjects)
        )
        if len(rows) < LOOKED_AT:
            return
        seq = rows[-1].seq


def _filters(subjects: Sequence[str]) -> Iterable[int]:
    rows = session().execute(select(SavedFilter.id, SavedFilter.name, SavedFilter.query))
    for id, name, query in rows:
        if _named(dict(parse_qsl(query)), subjects) or any(mentions(name, s) for s in subjects):
            yield id


def _named(words: Any, subjects: Sequence[str]) -> bool:
    if not isinstance(words, Mapping):
        return False
    typed = [str(words[word]) for word in TYPED if word in words]
    return any(mentions(text, subject) for text in typed for subject in subjects)
