"""The events on the record: who signed in, was refused, changed an account, published a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import aliased

from webapp.db import Event, User
from webapp.db.base import session
from webapp.errors import InvalidInput, Malformed, NotAllowed, Problem
from webapp.services.accounts import known
from webapp.services.filters import Filters
from webapp.services.people import Actor
from webapp.wording import said

KIND = re.compile(r"[a-z][a-z-]{0,23}", re.ASCII)
CURSOR = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """One event; `at_us` is microseconds UTC, `facts` None once erased."""

    id: str
    kind: str
    at_us: int
    #: Who did it; None for the operator, or where nobody is known.
    by: str | None
    #: The account it happened to, if it did to one.
    about: str | None
    facts: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, newest first, and the cursor of those that come after; empty at the end."""

    lines: list[Line]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; every condition given must hold. Times are microseconds UTC, `until_us` not included."""

    kind: str = ""
    #: Who did it, or to whom.
    person: str = ""
    since_us: int | None = None
    until_us: int | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Wanted:
        """From the words of a URL query: kind, person, from, to. Raises InvalidInput."""
        problems = []
        kind, person = query.get("kind", "").strip(), query.get("person", "").strip()
        if kind and not KIND.fullmatch(kind):
            problems.append(Problem("#/kind", said("must be a kind of event, such as sign-in")))
        try:
            times = Filters.read({word: query[word] for word in ("from", "to") if word in query})
        except InvalidInput as error:
            raise InvalidInput([*problems, *error.problems]) from None
        if problems:
            raise InvalidInput(problems)
        return cls(kind, person, times.since_us, times.until_us)


def search(actor: Actor, wanted: Wanted, *, limit: int, cursor: str = "") -> Page:
    """A page of events, newest first; costs the same however many there are and however far down.

    Raises NotAllowed for who does not see all, Malformed for a cursor that is not ours.
    """
    if not actor.sees_all:
        raise NotAllowed(said("Only auditors and admins see what others do."))
    conditions = _conditions(wanted, cursor)
    if not wanted.person:
        found = _read(conditions, limit)
    elif account := known(wanted.person):
        # Each of the two ways to find somebody has its index; together they would need a sort of all.
        ways = (Event.user_id == account.id, Event.about_id == account.id)
        found = [row for way in ways for row in _read([way, *conditions], limit)]
    else:
        found = []
    events = sorted({row[0].seq: row for row in found}.values(), key=_place, reverse=True)[: limit + 1]
    more = len(events) > limit
    last = events[limit - 1][0] if more else None
    return Page([_line(*row) for row in events[:limit]], f"{last.at_us}-{last.seq}" if last else "")


def kinds() -> list[str]:
    """Every kind of event there is on the record, by name; a look at the index for each."""
    found: list[str] = []
    while (kind := session().scalar(_after(found[-1] if found else ""))) is not None:
        found.append(kind)
    return found


def _after(kind: str) -> Any:
    return select(Event.kind).where(Event.kind > kind).order_by(Event.kind).limit(1)


def _conditions(wanted: Wanted, cursor: str) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.kind:
        conditions.append(Event.kind == wanted.kind)
    if wanted.since_us is not None:
        conditions.append(Event.at_us >= wanted.since_us)
    if wanted.until_us is not None:
        conditions.append(Event.at_us < wanted.until_us)
    if cursor:
        read = CURSOR.fullmatch(cursor)
        if read is None:
            raise Malformed(said("This cursor is not one of ours; start at the first page."))
        at_us, seq = int(read[1]), int(read[2])
        conditions += [Event.at_us <= at_us, tuple_(Event.at_us, Event.seq) < (at_us, seq)]
    return conditions


def _read(conditions: list[ColumnElement[bool]], limit: int) -> list[Any]:
    by, about = aliased(User), aliased(User)
    wanted = (
        select(Event, by.username, about.username)
        .outerjoin(by, by.id == Event.user_id)
        .outerjoin(about, about.id == Event.about_id)
        .where(*conditions)
        .order_by(Event.at_us.desc(), Event.seq.desc())
        .limit(limit + 1)
    )
    return list(session().execute(wanted))


def _place(row: Any) -> tuple[int, int]:
    return row[0].at_us, row[0].seq


def _line(event: Event, by: str | None, about: str | None) -> Line:
    facts = orjson.loads(event.facts) if event.facts else None
    named = (
        facts.get("account") if facts else None
    )  # events from before they named their account by its number
    return Line(event.id, event.kind, event.at_us, by, about or named, facts)
