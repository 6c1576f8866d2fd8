"""Accounts: making them, changing them, and finding out whether somebody is who they say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.db import User
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, bump
from webapp.db.users import ROLES
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotSignedIn, Problem
from webapp.services import audit, guesses, passwords
from webapp.services.clock import now_us
from webapp.services.people import Actor, access_number, queue
from webapp.wording import said

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
REFUSED = said("Username or password is wrong, or the account is disabled.")


@dataclass(frozen=True, slots=True)
class Person:
    """An account as others may see it; `created_us` is microseconds UTC."""

    id: int
    username: str
    role: str
    must_change: bool
    disabled: bool
    created_us: int


def create(
    username: str, role: str, password: str, *, actor: Actor | None, must_change: bool = False
) -> Person:
    """Make an account; `actor` None is the operator at the command line.

    Raises InvalidInput (`#/username`, `#/role`, `#/password`), Conflict (the name is taken), NotAllowed,
    NotSignedIn (`actor` lost access meanwhile, as with every change below).
    """
    _admins_only(actor)
    name = username.lower()
    if problems := [*_name_problems(name), *_role_problems(role), *passwords.problems_of(password, name)]:
        raise InvalidInput(problems)
    kept = passwords.hash_password(password)
    with transaction() as current:
        queue(current, actor)
        if current.scalar(select(User.id).where(User.username == name)) is not None:
            raise Conflict(said("There is already an account {name}; choose another username.", name=name))
        return _add(current, name, role, kept, actor, must_change)


def first_admin() -> str | None:
    """Make `admin` where there is no account yet; returns its one-time password, or None."""
    if session().scalar(select(func.count(User.id))):
        return None
    password = passwords.one_time()
    kept = passwords.hash_password(password)
    with transaction() as current:
        queue(current)
        if current.scalar(select(func.count(User.id))):
            return None
        _add(current, "admin", "admin", kept, None, must_change=True)
    return password


def list_all(actor: Actor | None) -> list[Person]:
    """Every account, by username; raises NotAllowed."""
    _admins_only(actor)
    return [_person(user) for user in session().scalars(select(User).order_by(User.username))]


def disable(username: str, actor: Actor | None) -> None:
    """End an account's sessions and tokens and let it sign in no more; its records stay.

    Raises NotFound, NotAllowed, Conflict (the last admin).
    """
    _admins_only(actor)
    with transaction() as current:
        user = _take(current, username, actor)
        if user.disabled_us is not None:
            return
        _keep_an_admin(current, user)
        user.disabled_us = now_us()
        _cut_off(current, user)
        _log(current, "user-disabled", actor, user)


def enable(username: str, actor: Actor | None) -> None:
    """Let a disabled account sign in again; raises NotFound, NotAllowed."""
    _admins_only(actor)
    with transaction() as current:
        user = _take(current, username, actor)
        if user.disabled_us is None:
            return
        user.disabled_us = None
        _log(current, "user-enabled", actor, user)


def set_role(username: str, role: str, actor: Actor | None) -> None:
    """Give an account another role and end its sessions and tokens.

    Raises InvalidInput (`#/role`), NotFound, NotAllowed, Conflict (the last admin).
    """
    _admins_only(actor)
    if problems := _role_problems(role):
        raise InvalidInput(problems)
    with transaction() as current:
        user = _take(current, username, actor)
        if user.role == role:
            return
        _keep_an_admin(current, user)
        before, user.role = user.role, role
        _cut_off(current, user)
        _log(current, "role-changed", actor, user, before=before, role=role)


def reset_password(username: str, actor: Actor | None) -> str:
    """A one-time password to hand over, in place of the old one; ends the account's sessions and tokens.

    Raises NotFound, NotAllowed.
    """
    _admins_only(actor)
    password = passwords.one_time()
    kept = passwords.hash_password(password)
    with transaction() as current:
        user = _take(current, username, actor)
        user.password_hash, user.must_change = kept, True
        guesses.forgive(current, user.username)
        _cut_off(current, user)
        _log(current, "password-reset", actor, user)
    return password


def change_password(actor: Actor, current: str, new: str, address: str = "") -> Actor:
    """Change one's own password, from `address`; every session and token of the account ends, this one too.

    Raises InvalidInput (`#/current`, `#/password`), TooMany after too many wrong guesses.
    """
    known = _known(actor.username)
    if known is None or known.id != actor.id:
        raise NotSignedIn(REFUSED)
    if not _guess(actor.username, address, known.password_hash, current):
        raise InvalidInput([Problem("#/current", said("is not the present password"))])
    if new == current:
        raise InvalidInput([Problem("#/password", said("must differ from the present password"))])
    if problems := passwords.problems_of(new, actor.username):
        raise InvalidInput(problems)
    kept = passwords.hash_password(new)
    with transaction() as writing:
        user = _take(writing, actor.username, actor)
        user.password_hash, user.must_change = kept, False
        guesses.forgive(writing, user.username)
        _cut_off(writing, user)
        _log(writing, "password-changed", actor, user)
        return _actor(writing, user)


def authenticate(username: str, password: str, address: str = "") -> Actor:
    """The person with this name and password, who asks from `address`.

    Raises NotSignedIn, in the same words and time for an unknown name, a wrong password, a disabled account,
    and TooMany after too many wrong guesses.
    """
    known = _known(username)
    right = _guess(username, address, known.password_hash if known else passwords.NOBODY, password)
    with transaction() as current:
        user = current.get(User, known.id, populate_existing=True) if known and right else None
        if known and user and user.disabled_us is None and user.stamp == known.stamp:
            guesses.forgive(current, user.username)
            audit.append(current, "sign-in", user.id, {"account": user.username})
            return _actor(current, user)
        # A name that is nobody's is not kept: people type passwords into the wrong field.
        audit.append(current, "sign-in-refused", None, {"account": known.username if known else None})
    raise NotSignedIn(REFUSED)


class _Known(NamedTuple):
    """What an account was when its password began to be checked."""

    id: int
    username: str
    password_hash: str
    stamp: int


def _known(username: str) -> _Known | None:
    name = username.lower()
    if not USERNAME.fullmatch(name):  # some databases choke on what JSON can spell
        return None
    columns = select(User.id, User.username, User.password_hash, User.stamp)
    row = session().execute(columns.where(User.username == name)).first()
    return _Known(*row) if row else None


def _actor(current: Session, user: User) -> Actor:
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


def _guess(username: str, address: str, kept: str, password: str) -> bool:
    guesses.refuse_spent(username, address)  # a flood of them neither writes nor waits
    with passwords.turn(guesses.origin(address)):
        guesses.spend(username, address)
        return passwords.matches(kept, password)


def _take(current: Session, username: str, actor: Actor | None) -> User:
    queue(current, actor)
    known = _known(username)
    user = current.get(User, known.id, populate_existing=True) if known else None
    if user is None:
        raise NotFound(said("There is no account {name}.", name=repr(username[:63])))
    return user


def _add(current: Session, name: str, role: str, kept: str, actor: Actor | None, must_change: bool) -> Person:
    user = User(username=name, role=role, password_hash=kept, must_change=must_change, created_us=now_us())
    user.stamp = 0
    current.add(user)
    current.flush()
    _log(current, "user-created", actor, user, role=role)
    return _person(user)


def _cut_off(current: Session, user: User) -> None:
    user.stamp += 1
    bump(current, ACCESS)


def _keep_an_admin(current: Session, user: User) -> None:
    admins = select(func.count(User.id)).where(User.role == "admin", User.disabled_us.is_(None))
    if user.role == "admin" and user.disabled_us is None and current.scalar(admins) == 1:
        raise Conflict(said("{name} is the last admin; make another one first.", name=user.username))


def _log(current: Session, kind: str, actor: Actor | None, user: User, **facts: str) -> None:
    audit.append(current, kind, actor.id if actor else None, {"account": user.username, **facts})


def _admins_only(actor: Actor | None) -> None:
    if actor is not None and actor.role != "admin":
        raise NotAllowed(said("Only admins manage accounts; ask one of them."))


def _name_problems(name: str) -> list[Problem]:
    rule = said("needs 2 to 63 letters a-z, digits, dots, hyphens or underscores, a letter or digit first")
    return [] if USERNAME.fullmatch(name) else [Problem("#/username", rule)]


def _role_problems(role: str) -> list[Problem]:
    return (
        [] if role in ROLES else [Problem("#/role", said("must be one of {listed}", listed=", ".join(ROLES)))]
    )


def _person(user: User) -> Person:
    return Person(
        id=user.id,
        username=user.username,
        role=user.role,
        must_change=user.must_change,
        disabled=user.disabled_us is not None,
        created_us=user.created_us,
    )
