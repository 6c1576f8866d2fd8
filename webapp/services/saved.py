"""Searches of the ledger that a person has named. Nobody else sees them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.db import SavedFilter
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, NotFound, Problem, printable
from webapp.services.clock import now_us
from webapp.services.filters import Filters
from webapp.services.people import Actor, queue
from webapp.wording import said

MOST, LONGEST_NAME, LONGEST_QUERY = 50, 80, 4000


@dataclass(frozen=True, slots=True)
class Saved:
    """A named search; `query` is that of its address, without the question mark."""

    id: int
    name: str
    query: str


def of(actor: Actor) -> list[Saved]:
    """The searches that `actor` has named, by name."""
    rows = session().scalars(
        select(SavedFilter).where(SavedFilter.user_id == actor.id).order_by(func.lower(SavedFilter.name))
    )
    return [Saved(row.id, row.name, row.query) for row in rows]


def keep(actor: Actor, name: str, query: str) -> None:
    """Name a search, or give a name that is taken a new search; `columns` in `query` is not looked at.

    Raises InvalidInput (`#/name`, `#/query`, or the word of a filter), Conflict beyond MOST, NotSignedIn.
    """
    name = _name(name)
    if len(query) > LONGEST_QUERY:
        raise InvalidInput([Problem("#/query", said("is too long to be kept"))])
    Filters.read(dict(parse_qsl(query)), besides=("columns",))
    with transaction() as current:
        queue(current, actor)
        row = _named(current, actor, name)
        if row is not None:
            row.query = query
            return
        mine = select(func.count()).where(SavedFilter.user_id == actor.id)
        if (current.scalar(mine) or 0) >= MOST:
            raise Conflict(said("You have {n} saved filters already; delete one first.", n=MOST))
        current.add(SavedFilter(user_id=actor.id, name=name, query=query, created_us=now_us()))


def rename(actor: Actor, saved_id: str, name: str) -> None:
    """Give a search another name; raises InvalidInput (`#/name`), Conflict (the name is taken), NotFound."""
    name = _name(name)
    with transaction() as current:
        queue(current, actor)
        row = _mine(current, actor, saved_id)
        other = _named(current, actor, name)
        if other is not None and other is not row:
            raise Conflict(said("You have a saved filter named {name} already.", name=name))
        row.name = name


def forget(actor: Actor, saved_id: str) -> None:
    """Let go of a search; raises NotFound."""
    with transaction() as current:
        queue(current, actor)
        current.delete(_mine(current, actor, saved_id))


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > LONGEST_NAME or printable(name) != name or not name.isprintable():
        rule = said("must be plain text of 1 to {most} characters", most=LONGEST_NAME)
        raise InvalidInput([Problem("#/name", rule)])
    return name


def _named(current: Session, actor: Actor, name: str) -> SavedFilter | None:
    mine = (SavedFilter.user_id == actor.id, SavedFilter.name == name)
    return current.scalar(select(SavedFilter).where(*mine))


def _mine(current: Session, actor: Actor, saved_id: str) -> SavedFilter:
    known = saved_id.isascii() and saved_id.isdigit() and len(saved_id) < 10
    row = current.get(SavedFilter, int(saved_id)) if known else None
    if row is None or row.user_id != actor.id:
        raise NotFound(said("There is no such saved filter."))
    return row
