"""Accounts: making them, changing them, and finding out whether somebody is who they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.db import SecondFactor, User
from webapp.db.base import session, transaction
from webapp.db.users import ROLES
from webapp.errors import CodeNeeded, Conflict, InvalidInput, NotSignedIn, Problem, printable
from webapp.services import audit, guesses, passwords, reset_links, second_factor
from webapp.services.accounts import (
    REFUSED as REFUSED,
)
from webapp.services.accounts import (
    USERNAME,
    absent,
    admins_only,
    as_actor,
    confirm_password,
    cut_off,
    guess,
    known,
    log,
    take,
)
from webapp.services.clock import now_us
from webapp.services.people import EXPIRED, Actor, queue
from webapp.wording import said

NEEDED = said("The password is right; a code of the second factor is needed too.")


@dataclass(frozen=True, slots=True)
class Person:
    """An account as others may see it; `created_us` is microseconds UTC."""

    id: int
    username: str
    role: str
    must_change: bool
    disabled: bool
    created_us: int
    second_factor: bool = False


def create(
    username: str, role: str, password: str, *, actor: Actor | None, must_change: bool = False
) -> Person:
    """Make an account; `actor` None is the operator at the command line.

    Raises InvalidInput (`#/username`, `#/role`, `#/password`), Conflict (the name is taken), NotAllowed,
    NotSignedIn (`actor` lost access meanwhile, as with every change below).
    """
    with _new_account(username, role, password, actor, must_change) as (_, person):
        return person


def invite(username: str, role: str, *, actor: Actor | None) -> tuple[Person, str]:
    """Make an account without a password, and the token of a link that sets one; raises what `create` does."""
    with _new_account(username, role, passwords.one_time(), actor, must_change=True) as (current, person):
        return person, reset_links.put(current, person.id)


@contextmanager
def _new_account(
    username: str, role: str, password: str, actor: Actor | None, must_change: bool
) -> Iterator[tuple[Session, Person]]:
    admins_only(actor)
    name = username.lower()
    if problems := [*_name_problems(name), *_role_problems(role), *passwords.problems_of(password, name)]:
        raise InvalidInput(problems)
    kept = passwords.hash_password(password)
    with transaction() as current:
        queue(current, actor)
        if current.scalar(select(User.id).where(User.username == name)) is not None:
            taken = said("There is already an account {name}; choose another username.", name=name)
            raise Conflict(taken)
        yield current, _add(current, name, role, kept, actor, must_change)


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


def list_all(actor: Actor | None, containing: str = "", most: int | None = None) -> list[Person]:
    """Every account, or the first `most` whose name contains a text, by username; raises NotAllowed."""
    admins_only(actor)
    confirmed = SecondFactor.confirmed_us.is_not(None)
    found = (
        select(User, confirmed)
        .outerjoin(SecondFactor, SecondFactor.user_id == User.id)
        .where(User.username.contains(printable(containing.strip().lower()), autoescape=True))
        .order_by(User.username)
        .limit(most)
    )
    return [replace(_person(user), second_factor=bool(on)) for user, on in session().execute(found)]


def get(username: str, actor: Actor | None) -> Person:
    """One account; raises NotAllowed, NotFound."""
    admins_only(actor)
    found = known(username)
    user = session().get(User, found.id) if found else None
    if user is None:
        raise absent(username)
    return replace(_person(user), second_factor=second_factor.state(user.id).on)


def disable(username: str, actor: Actor | None) -> None:
    """End an account's sessions and tokens and let it sign in no more; its records stay.

    Raises NotFound, NotAllowed, Conflict (the last admin).
    """
    admins_only(actor)
    with transaction() as current:
        user = take(current, username, actor)
        if user.disabled_us is not None:
            return
        _keep_an_admin(current, user)
        user.disabled_us = now_us()
        reset_links.drop(current, user.id)
        cut_off(current, user)
        log(current, "user-disabled", actor, user)


def enable(username: str, actor: Actor | None) -> None:
    """Let a disabled account sign in again; raises NotFound, NotAllowed."""
    admins_only(actor)
    with transaction() as current:
        user = take(current, username, actor)
        if user.disabled_us is None:
            return
        user.disabled_us = None
        log(current, "user-enabled", actor, user)


def set_role(username: str, role: str, actor: Actor | None) -> None:
    """Give an account another role and end its sessions and tokens.

    Raises InvalidInput (`#/role`), NotFound, NotAllowed, Conflict (the last admin).
    """
    admins_only(actor)
    if problems := _role_problems(role):
        raise InvalidInput(problems)
    with transaction() as current:
        user = take(current, username, actor)
        if user.role == role:
            return
        _keep_an_admin(current, user)
        before, user.role = user.role, role
        cut_off(current, user)
        log(current, "role-changed", actor, user, before=before, role=role)


def reset_password(username: str, actor: Actor | None) -> str:
    """A one-time password to hand over, in place of the old one; ends the account's sessions and tokens.

    Raises NotFound, NotAllowed.
    """
    admins_only(actor)
    password = passwords.one_time()
    kept = passwords.hash_password(password)
    with transaction() as current:
        user = take(current, username, actor)
        user.password_hash, user.must_change = kept, True
        reset_links.drop(current, user.id)
        guesses.forgive(current, user.username)
        cut_off(current, user)
        log(current, "password-reset", actor, user)
    return password


def change_password(actor: Actor, current: str, new: str, address: str = "") -> Actor:
    """Change one's own password, from `address`; every session and token of the account ends, this one too.

    Raises InvalidInput (`#/current`, `#/password`), TooMany after too many wrong guesses.
    """
    confirm_password(actor, current, address)
    if new == current:
        raise InvalidInput([Problem("#/password", said("must differ from the present password"))])
    if problems := passwords.problems_of(new, actor.username):
        raise InvalidInput(problems)
    kept = passwords.hash_password(new)
    with transaction() as writing:
        user = take(writing, actor.username, actor)
        user.password_hash, user.must_change = kept, False
        reset_links.drop(writing, user.id)
        guesses.forgive(writing, user.username)
        cut_off(writing, user)
        log(writing, "password-changed", actor, user)
        return as_actor(writing, user)


def authenticate(
    username: str, password: str, address: str = "", *, code: str | None = None, key: str = ""
) -> Actor:
    """The person with this name and password, who asks from `address`; `key` is what second factors hang on.

    Raises NotSignedIn, in the same words and time for an unknown name, a wrong password, a disabled account,
    CodeNeeded where the password is right and a code is missing or does not hold, and TooMany after too many
    wrong guesses.
    """
    found = known(username)
    right = guess(username, address, found.password_hash if found else passwords.NOBODY, password)
    with transaction() as current:
        queue(current)
        user = current.get(User, found.id, populate_existing=True) if found and right else None
        if found and user and user.disabled_us is None and user.stamp == found.stamp:
            entered = _enter(current, user, code, key)
        else:
            entered = NotSignedIn(REFUSED)
            # A name that is nobody's is not kept: people type passwords into the wrong field.
            facts: dict[str, object] = {"account": found.username if found else None}
            audit.append(current, "sign-in-refused", None, facts, about=found.id if found else None)
    return _or_raise(entered)


def authenticate_further(user_id: int, stamp: int, code: str, address: str, key: str) -> Actor:
    """The person who has shown the password a moment ago, when the account's stamp was `stamp`, and now a code.

    Raises NotSignedIn where the account has changed since, CodeNeeded where the code does not hold, TooMany.
    """
    username = session().scalar(select(User.username).where(User.id == user_id))
    if username is None:
        raise NotSignedIn(EXPIRED)
    guesses.refuse_spent(username, address)
    guesses.spend(username, address)
    with transaction() as current:
        queue(current)
        user = current.get(User, user_id, populate_existing=True)
        if user is None or user.disabled_us is not None or user.stamp != stamp:
            raise NotSignedIn(EXPIRED)
        entered = _enter(current, user, code, key)
    return _or_raise(entered)


def _enter(current: Session, user: User, code: str | None, key: str) -> Actor | NotSignedIn:
    if second_factor.is_on(current, user.id):
        if code is None:
            return CodeNeeded(NEEDED, user.id, user.stamp)
        how = second_factor.accepts(current, user, code, key)
        if not how:
            refused: dict[str, object] = {"account": user.username, "why": "code"}
            audit.append(current, "sign-in-refused", None, refused, about=user.id)
            return CodeNeeded(second_factor.NOT_A_CODE, user.id, user.stamp)
        if how == second_factor.RECOVERY:
            facts: dict[str, object] = {"account": user.username}
            audit.append(current, "recovery-code-used", user.id, facts, about=user.id)
    guesses.forgive(current, user.username)
    audit.append(current, "sign-in", user.id, {"account": user.username}, about=user.id)
    return as_actor(current, user)


def _or_raise(entered: Actor | NotSignedIn) -> Actor:
    if isinstance(entered, NotSignedIn):  # raised only now, so that what it left on the record is kept
        raise entered
    return entered


def set_display(actor: Actor, language: str, theme: str) -> None:
    """In which language (a BCP 47 tag) and theme pages are shown to somebody; empty: browser and system decide.

    The caller knows which there are.
    """
    with transaction() as current:
        user = take(current, actor.username, actor)
        user.language, user.theme = language, theme


def _add(current: Session, name: str, role: str, kept: str, actor: Actor | None, must_change: bool) -> Person:
    user = User(username=name, role=role, password_hash=kept, must_change=must_change, created_us=now_us())
    user.stamp = 0
    current.add(user)
    current.flush()
    log(current, "user-created", actor, user, role=role)
    return _person(user)


def _keep_an_admin(current: Session, user: User) -> None:
    admins = select(func.count(User.id)).where(User.role == "admin", User.disabled_us.is_(None))
    if user.role == "admin" and user.disabled_us is None and current.scalar(admins) == 1:
        raise Conflict(said("{name} is the last admin; make another one first.", name=user.username))


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
