"""Sign-ins: each is a family of tokens (or one browser session) that can be ended at once on every worker."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from webapp.db import TokenFamily, User
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, bump
from webapp.errors import NotAllowed, NotFound, NotSignedIn
from webapp.services import audit, people, users
from webapp.services.clock import now_us
from webapp.services.people import EXPIRED, Actor, access_number
from webapp.wording import said

SECOND = 1_000_000
CHANGE_FIRST = said("This password was chosen for you; change it at /account first, then sign in here.")


@dataclass(frozen=True, slots=True)
class Grant:
    """A sign-in: whose it is, the jti its refresh token must carry, and its end in microseconds UTC."""

    actor: Actor
    jti: str
    expires_us: int


def sign_in_program(username: str, password: str, seconds: int, address: str = "") -> Grant:
    """Open a family of tokens; raises what `users.authenticate` does, NotAllowed for a one-time password."""
    actor = users.authenticate(username, password, address)
    if actor.must_change:
        raise NotAllowed(CHANGE_FIRST)
    return open_family(actor, seconds)


def sign_in_person(username: str, password: str, seconds: int, address: str = "") -> Grant:
    """Open a browser session; raises what `users.authenticate` does."""
    return open_family(users.authenticate(username, password, address), seconds)


def issue(username: str, seconds: int) -> Grant:
    """A family the operator makes for a program that cannot sign in; raises NotFound, NotAllowed."""
    user = session().scalar(select(User).where(User.username == username.lower()))
    if user is None:
        raise NotFound(said("There is no account {name}.", name=repr(username[:63])))
    if user.disabled_us is not None:
        raise NotAllowed(said("The account {name} is disabled; enable it first.", name=user.username))
    if user.must_change:
        raise NotAllowed(
            said("The account {name} still has a one-time password; change that first.", name=user.username)
        )
    return open_family(Actor(user.id, user.username, user.role, stamp=user.stamp), seconds, issued=True)


def open_family(actor: Actor, seconds: int, *, issued: bool = False) -> Grant:
    """Put a new sign-in of `actor` on file, for `seconds`; her expired ones are cleared away."""
    now = now_us()
    family = TokenFamily(
        id=secrets.token_urlsafe(16),
        user_id=actor.id,
        refresh_jti=secrets.token_urlsafe(16),
        created_us=now,
        expires_us=now + seconds * SECOND,
    )
    grant = Grant(replace(actor, family=family.id), family.refresh_jti, family.expires_us)
    with transaction() as current:
        current.execute(
            delete(TokenFamily).where(TokenFamily.user_id == actor.id, TokenFamily.expires_us <= now)
        )
        current.add(family)
        if issued:
            audit.append(
                current, "token-created", None, {"account": actor.username, "expires_us": grant.expires_us}
            )
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
                row.refresh_jti = secrets.token_urlsafe(16)
                actor = Actor(
                    user.id, user.username, user.role, access_number(current), stamp, family, user.must_change
                )
                return Grant(actor, row.refresh_jti, row.expires_us)
            _end(current, family)
            audit.append(current, "token-reused", user.id, {"account": user.username})
    raise NotSignedIn(EXPIRED)


def revoke(actor: Actor) -> None:
    """End the sign-in that `actor` came with: its access token, refresh token or session, on every worker."""
    if actor.family is None:
        return
    with transaction() as current:
        people.queue(current)  # before the family's row, as everybody else: PostgreSQL would see a deadlock
        _end(current, actor.family)
        audit.append(current, "sign-out", actor.id, {"account": actor.username})


def _end(current: Session, family: str) -> None:
    current.execute(
        update(TokenFamily)
        .where(TokenFamily.id == family, TokenFamily.revoked_us.is_(None))
        .values(revoked_us=now_us())
    )
    bump(current, ACCESS)
