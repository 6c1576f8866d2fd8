"""What all that changes accounts is made of; everything here works inside the caller's transaction."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.db import TokenFamily, User
from webapp.db.base import session
from webapp.db.changes import ACCESS, bump
from webapp.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn, Problem
from webapp.services import audit, guesses, passwords
from webapp.services.clock import now_us
from webapp.services.people import Actor, access_number, queue
from webapp.wording import said

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
REFUSED = said("Username or password is wrong, or the account is disabled.")


class Known(NamedTuple):
    """What an account was when its password began to be checked."""

    id: int
    username: str
    password_hash: str
    stamp: int


def known(username: str) -> Known | None:
    """The account of that name, if there is one."""
    name = username.lower()
    if not USERNAME.fullmatch(name):  # some databases choke on what JSON can spell
        return None
    columns = select(User.id, User.username, User.password_hash, User.stamp)
    row = session().execute(columns.where(User.username == name)).first()
    return Known(*row) if row else None


def guess(username: str, address: str, kept: str, password: str) -> bool:
    """Whether a password is right; counted as wrong until the caller forgives it. Raises TooMany, NotReady."""
    guesses.refuse_spent(username, address)  # a flood of them neither writes nor waits
    with passwords.turn(guesses.origin(address)):
        guesses.spend(username, address)
        return passwords.matches(kept, password)


def confirm_password(actor: Actor, password: str, address: str, pointer: str = "#/current") -> None:
    """Ask whoever is signed in for the password again.

    Raises InvalidInput (`pointer`), TooMany after too many wrong guesses, NotSignedIn.
    """
    own = known(actor.username)
    if own is None or own.id != actor.id:
        raise NotSignedIn(REFUSED)
    if not guess(actor.username, address, own.password_hash, password):
        raise InvalidInput([Problem(pointer, said("is not the present password"))])


def take(current: Session, username: str, actor: Actor | None) -> User:
    """An account that is going to be changed; nobody else changes accounts until the transaction ends.

    Raises NotFound, NotSignedIn where `actor` has lost access on the way here.
    """
    queue(current, actor)
    found = known(username)
    user = current.get(User, found.id, populate_existing=True) if found else None
    if user is None:
        raise absent(username)
    return user


def absent(username: str) -> NotFound:
    """That there is no such account."""
    return NotFound(said("There is no account {name}.", name=repr(username[:63])))


def cut_off(current: Session, user: User) -> None:
    """End every sign-in of an account."""
    user.stamp += 1
    alive = TokenFamily.user_id == user.id, TokenFamily.revoked_us.is_(None)
    current.execute(update(TokenFamily).where(*alive).values(revoked_us=now_us()))
    bump(current, ACCESS)


def log(current: Session, kind: str, actor: Actor | None, user: User, **facts: object) -> None:
    """Put a change of an account on the record."""
    about = {"account": user.username, **facts}
    audit.append(current, kind, actor.id if actor else None, about, about=user.id)


def as_actor(current: Session, user: User) -> Actor:
    """The person behind an account, found good now."""
    return Actor(
        id=user.id,
        username=user.username,
        role=user.role,
        access=access_number(current),
        stamp=user.stamp,
        must_change=user.must_change,
        language=user.language,
        theme=user.theme,
    )


def admins_only(actor: Actor | None) -> None:
    """Raises NotAllowed for anybody but admins and the operator (None)."""
    if actor is not None and actor.role != "admin":
        raise NotAllowed(said("Only admins manage accounts; ask one of them."))
