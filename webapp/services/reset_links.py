"""Links that set a new password, made by an admin and handed over: each is good once, for a day.

Of a link only the SHA-256 of its 256 random bits is kept.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp.db import ResetLink, User
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, NotFound
from webapp.services import audit, guesses, passwords
from webapp.services.accounts import admins_only, cut_off, log, take
from webapp.services.clock import now_us
from webapp.services.people import Actor, queue
from webapp.wording import said

SECONDS = 24 * 3600


def make(username: str, actor: Actor | None) -> str:
    """The token of a link that sets a new password once within SECONDS; it ends the one made before.

    The present password stays good until then. Raises NotFound, NotAllowed, Conflict (a disabled account).
    """
    admins_only(actor)
    with transaction() as current:
        user = take(current, username, actor)
        if user.disabled_us is not None:
            raise Conflict(said("{name} is disabled; enable the account first.", name=user.username))
        log(current, "reset-link-made", actor, user)
        return put(current, user.id)


def put(current: Session, user_id: int) -> str:
    """The same in the caller's transaction."""
    token = secrets.token_urlsafe(32)
    drop(current, user_id)
    current.add(ResetLink(user_id=user_id, hash=_hash(token), expires_us=now_us() + SECONDS * 1_000_000))
    return token


def account_behind(token: str) -> str:
    """Whose password a link sets: the username. Raises NotFound where the link is used, replaced or too old."""
    return _linked(session(), token).username


def use(token: str, password: str) -> None:
    """Set the password of the account behind a link and end its sign-ins; the link is used up.

    Raises NotFound as `account_behind`, InvalidInput (`#/password`).
    """
    if problems := passwords.problems_of(password, account_behind(token)):
        raise InvalidInput(problems)
    kept = passwords.hash_password(password)
    with transaction() as current:
        queue(current)
        user = _linked(current, token)
        user.password_hash, user.must_change = kept, False
        drop(current, user.id)
        guesses.forgive(current, user.username)
        cut_off(current, user)
        audit.append(
            current, "password-changed", user.id, {"account": user.username, "by": "link"}, about=user.id
        )


def drop(current: Session, user_id: int) -> None:
    """End the link that would set an account's password, in the caller's transaction."""
    current.execute(delete(ResetLink).where(ResetLink.user_id == user_id))


def _linked(current: Session, token: str) -> User:
    link = select(ResetLink.user_id).where(ResetLink.hash == _hash(token), ResetLink.expires_us > now_us())
    user = current.scalar(
        select(User)
        .where(User.id.in_(link), User.disabled_us.is_(None))
        .execution_options(populate_existing=True)
    )
    if user is None:
        raise NotFound(said("This link was used, replaced, or is too old; ask an admin for another one."))
    return user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
