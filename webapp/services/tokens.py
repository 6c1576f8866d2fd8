"""Sign-ins: each is a family of tokens (or one browser session) that can be ended at once on every worker."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from webapp.db import TokenFamily, User
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, bump
from webapp.errors import CodeNeeded, InvalidInput, NotAllowed, NotSignedIn, Problem, printable
from webapp.services import audit, people, users
from webapp.services.accounts import absent
from webapp.services.clock import now_us
from webapp.services.people import EXPIRED, Actor, access_number
from webapp.wording import said

SECOND = 1_000_000
DAY = 24 * 3600
MOST_DAYS = 365
MOST_TOKENS = 50
LONGEST_NAME, LONGEST_AGENT, LONGEST_ADDRESS = 80, 200, 45  # of their columns, which SQLite does not enforce
BROWSER, PROGRAM, TOKEN = "browser", "program", "token"
CHANGE_FIRST = said("This password was chosen for you; change it at /account first, then sign in here.")


@dataclass(frozen=True, slots=True)
class Grant:
    """A sign-in: whose it is, the jti its refresh token must carry, and its end in microseconds UTC."""

    actor: Actor
    jti: str
    expires_us: int


class Origin(NamedTuple):
    """What is kept of a sign-in so that its owner knows it again: BROWSER, PROGRAM or TOKEN, and from where."""

    kind: str = ""
    address: str = ""
    #: As the client calls itself.
    agent: str = ""
    #: What its owner calls a token.
    name: str = ""


NOWHERE = Origin()


def sign_in_program(
    username: str,
    password: str,
    seconds: int,
    address: str = "",
    *,
    agent: str = "",
    code: str | None = None,
    key: str = "",
) -> Grant:
    """Open a family of tokens; raises what `users.authenticate` does, NotAllowed for a one-time password."""
    actor = users.authenticate(username, password, address, code=code, key=key)
    if actor.must_change:
        raise NotAllowed(CHANGE_FIRST)
    return open_family(actor, seconds, Origin(PROGRAM, address, agent))


def sign_in_person(username: str, password: str, seconds: int, address: str = "", agent: str = "") -> Grant:
    """Open a browser session; raises what `users.authenticate` does."""
    actor = users.authenticate(username, password, address)
    return open_family(actor, seconds, Origin(BROWSER, address, agent))


def sign_in_further(
    shown: CodeNeeded, code: str, seconds: int, key: str, address: str = "", agent: str = ""
) -> Grant:
    """Open the browser session that a code was still needed for; raises what `users.authenticate_further` does."""
    actor = users.authenticate_further(shown.account, shown.stamp, code, address, key)
    return open_family(actor, seconds, Origin(BROWSER, address, agent))


def issue(username: str, seconds: int) -> Grant:
    """A family the operator makes for a program that cannot sign in; raises NotFound, NotAllowed."""
    user = session().scalar(select(User).where(User.username == username.lower()))
    if user is None:
        raise absent(username)
    if user.disabled_us is not None:
        raise NotAllowed(said("The account {name} is disabled; enable it first.", name=user.username))
    if user.must_change:
        raise NotAllowed(
            said("The account {name} still has a one-time password; change that first.", name=user.username)
        )
    actor = Actor(user.id, user.username, user.role, stamp=user.stamp)
    return open_family(actor, seconds, Origin(TOKEN), issued=True)


def make(actor: Actor, name: str, days: int, address: str = "") -> Grant:
    """A family for a program of one's own that cannot sign in; raises InvalidInput (`#/name`, `#/days`).

    Somebody who makes several at once may come to have a few more than MOST_TOKENS.
    """
    problems, called = [], name.strip()
    if not called or len(called) > LONGEST_NAME or printable(called) != called:
        problems.append(Problem("#/name", said("needs 1 to {n} characters", n=LONGEST_NAME)))
    if not 1 <= days <= MOST_DAYS:
        problems.append(Problem("#/days", said("must be 1 to {most}", most=MOST_DAYS)))
    if not problems and _how_many(actor) >= MOST_TOKENS:
        problems.append(
            Problem("#/name", said("is one too many: you have {n} tokens; end one first", n=MOST_TOKENS))
        )
    if problems:
        raise InvalidInput(problems)
    return open_family(actor, days * DAY, Origin(TOKEN, address, name=called), issued=True)


def _how_many(actor: Actor) -> int:
    mine = select(func.count()).where(*holding(actor.id), TokenFamily.kind == TOKEN)
    return session().scalar(mine) or 0


def holding(user_id: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions on `TokenFamily` of an account's sign-ins that are neither ended nor over."""
    return (
        TokenFamily.user_id == user_id,
        TokenFamily.revoked_us.is_(None),
        TokenFamily.expires_us > now_us(),
    )


def open_family(actor: Actor, seconds: int, origin: Origin = NOWHERE, *, issued: bool = False) -> Grant:
    """Put a new sign-in of `actor` on file, for `seconds`; her expired ones are cleared away."""
    now = now_us()
    family = TokenFamily(
        id=secrets.token_urlsafe(16),
        user_id=actor.id,
        refresh_jti=secrets.token_urlsafe(16),
        created_us=now,
        expires_us=now + seconds * SECOND,
        kind=origin.kind,
        name=origin.name,
        agent=printable(origin.agent)[:LONGEST_AGENT],
        address=origin.address[:LONGEST_ADDRESS],
    )
    grant = Grant(replace(actor, family=family.id), family.refresh_jti, family.expires_us)
    with transaction() as current:
        if issued and actor.family:
            people.queue(current, actor)
        current.execute(
            delete(TokenFamily).where(TokenFamily.user_id == actor.id, TokenFamily.expires_us <= now)
        )
        current.add(family)
        if issued:
            facts: dict[str, object] = {"account": actor.username, "expires_us": grant.expires_us}
            if origin.name:
                facts["name"] = origin.name
            made_by = actor.id if actor.family else None
            audit.append(current, "token-created", made_by, facts, about=actor.id)
    return grant


def check(family: str, user_id: int, stamp: int) -> Actor:
    """The person behind a token or session, as of now; raises NotSignedIn."""
    return people.recheck(Actor(user_id, "", "", stamp=stamp, family=family))


def rotate(family: str, user_id: int, stamp: int, jti: str) -> Grant:
    """Exchange a refresh token for the next one; raises NotSignedIn.

    An older one seen again means that somebody else has a copy, so it ends the family.
    """
    with transaction() as current:
        people.queue(current)
        user = current.get(User, user_id, populate_existing=True)
        row = current.get(TokenFamily, family, populate_existing=True)
        usable = user is not None and user.disabled_us is None and user.stamp == stamp
        if user and row and usable and row.user_id == user.id and people.alive(row):
            if row.refresh_jti == jti:
                row.refresh_jti, row.last_us = secrets.token_urlsafe(16), now_us()
                actor = Actor(
                    user.id, user.username, user.role, access_number(current), stamp, family, user.must_change
                )
                return Grant(actor, row.refresh_jti, row.expires_us)
            _end(current, family)
            audit.append(current, "token-reused", user.id, {"account": user.username}, about=user.id)
    raise NotSignedIn(EXPIRED)


def revoke(actor: Actor) -> None:
    """End the sign-in that `actor` came with: its access token, refresh token or session, on every worker."""
    if actor.family is None:
        return
    with transaction() as current:
        people.queue(current)  # before the family's row, as everybody else: PostgreSQL would see a deadlock
        _end(current, actor.family)
        audit.append(current, "sign-out", actor.id, {"account": actor.username}, about=actor.id)


def _end(current: Session, family: str) -> None:
    current.execute(
        update(TokenFamily)
        .where(TokenFamily.id == family, TokenFamily.revoked_us.is_(None))
        .values(revoked_us=now_us())
    )
    bump(current, ACCESS)
