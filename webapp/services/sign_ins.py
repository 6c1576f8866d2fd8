"""What somebody is signed in with: listed, ended, and when each was last seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import or_, select, update

from webapp.db import TokenFamily
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, bump
from webapp.errors import NotFound
from webapp.services.accounts import absent, admins_only, known, log, take
from webapp.services.clock import now_us
from webapp.services.people import Actor
from webapp.services.tokens import TOKEN, holding
from webapp.wording import said

MINUTE = 60_000_000
#: A program that signs in for every request leaves thousands.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class SignIn:
    """One that holds. Times are microseconds UTC; `last_us` is None where it was not seen since it was made."""

    id: str
    #: browser, program or token; empty where it was not told apart.
    kind: str
    name: str
    agent: str
    address: str
    created_us: int
    last_us: int | None
    expires_us: int
    #: The one that the list was asked for with.
    this: bool


def list_of(actor: Actor, username: str | None = None) -> list[SignIn]:
    """One's own, or for admins those of `username`; raises NotAllowed, NotFound.

    The one that is asked with, then tokens, then the others, newest first, MOST_LISTED in all.
    """
    rows = session().scalars(
        select(TokenFamily)
        .where(*holding(_whose(actor, username)))
        .order_by(
            TokenFamily.id != (actor.family or ""),
            TokenFamily.kind != TOKEN,
            TokenFamily.created_us.desc(),
            TokenFamily.id,
        )
        .limit(MOST_LISTED)
    )
    return [_sign_in(row, actor) for row in rows]


def end(family: str, actor: Actor, username: str | None = None) -> None:
    """End one of them, on every worker at once; raises NotAllowed, NotFound where there is no such one (any more)."""
    _end(actor, username, only=family)


def end_others(actor: Actor) -> int:
    """End all of one's own but the one this is asked with; returns how many there were."""
    return _end(actor, None)


def end_all(username: str, actor: Actor) -> int:
    """End all of somebody else's (of one's own, all others); returns how many there were. Raises NotAllowed."""
    return _end(actor, username)


def _end(actor: Actor, username: str | None, only: str | None = None) -> int:
    _whose(actor, username)
    with transaction() as current:
        user = take(current, username or actor.username, actor)
        which = TokenFamily.id == only if only else TokenFamily.id != (actor.family or "")
        ended = current.execute(
            update(TokenFamily)
            .where(*holding(user.id), which)
            .values(revoked_us=now_us())
            .returning(TokenFamily.kind, TokenFamily.name)
        ).all()
        if only and not ended:
            raise NotFound(said("This sign-in has ended already."))
        if ended:
            bump(current, ACCESS)
            names = [row.name for row in ended if row.name]
            facts: dict[str, object] = {"names": names} if names else {}
            log(current, "sign-ins-ended", actor, user, number=len(ended), **facts)
    return len(ended)


def _whose(actor: Actor, username: str | None) -> int:
    if username is None or username == actor.username:
        return actor.id
    admins_only(actor)
    found = known(username)
    if found is None:
        raise absent(username)
    return found.id


def _sign_in(row: TokenFamily, actor: Actor) -> SignIn:
    return SignIn(
        id=row.id,
        kind=row.kind,
        name=row.name,
        agent=row.agent,
        address=row.address,
        created_us=row.created_us,
        last_us=row.last_us,
        expires_us=row.expires_us,
        this=row.id == actor.family,
    )


class Seen:
    """Sign-ins that this process has seen and not yet noted down; written together, at most every `pause` seconds.

    `later(seconds, work)` runs `work` after a while, inside an application context. Nothing waits for it, and what
    a killed process knew is lost.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], object], pause: float = 2.0) -> None:
        self._later = later
        self._pause = pause
        self._lock = threading.Lock()
        self._families: set[str] = set()

    def note(self, family: str) -> None:
        """A sign-in is in use; to be told at most once a minute of each."""
        with self._lock:
            first = not self._families
            self._families.add(family)
        if first:
            self._later(self._pause, self.store)

    def store(self) -> None:
        """Write down which were seen."""
        with self._lock:
            families, self._families = self._families, set()
        if not families:
            return
        now = now_us()
        stale = or_(TokenFamily.last_us.is_(None), TokenFamily.last_us < now - MINUTE)
        with transaction() as current:
            current.execute(
                update(TokenFamily).where(TokenFamily.id.in_(families), stale).values(last_us=now)
            )
