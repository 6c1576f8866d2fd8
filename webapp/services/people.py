"""Who acts: what every service needs to know of the person behind a request."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from webapp.db import Change, TokenFamily, User
from webapp.db.base import session
from webapp.db.changes import ACCESS
from webapp.errors import NotAllowed, NotSignedIn
from webapp.services.clock import now_us
from webapp.wording import said

EXPIRED = said("Your sign-in no longer holds; sign in again.")
#: What the roles are called.
ROLE_NAMES = {
    "analyst": said("analyst"),
    "publisher": said("publisher"),
    "auditor": said("auditor"),
    "admin": said("admin"),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """A checked caller. `access` is the change number at which the account and token were last found good."""

    id: int
    username: str
    role: str
    access: int = -1
    #: The account's stamp when this sign-in was made; the sign-in dies when it moves.
    stamp: int = 0
    #: The sign-in it came with, a row of token_families; None for one just checked by password.
    family: str | None = None
    #: True while the password was chosen by somebody else.
    must_change: bool = False
    #: How pages are shown to them: a BCP 47 tag, and light or dark; empty where nothing was chosen.
    language: str = ""
    theme: str = ""

    @property
    def sees_all(self) -> bool:
        """Auditors and admins read everybody's records; others only their own."""
        return self.role in ("auditor", "admin")


def recheck(actor: Actor) -> Actor:
    """The same caller found good again, with the name and role of now; raises NotSignedIn otherwise."""
    current = session()
    current.rollback()
    try:
        # The number first: a change after this read makes the answer stale, never too fresh.
        number = access_number(current)
        user = _found_good(current, actor)
        return replace(
            actor,
            username=user.username,
            access=number,
            role=user.role,
            must_change=user.must_change,
            language=user.language,
            theme=user.theme,
        )
    finally:
        current.rollback()  # a request that goes on to wait for its commit must not sit on a connection


def on_behalf(user_id: int) -> Actor:
    """Whoever left work to be done in their name, as they are now; raises NotAllowed for a disabled account.

    Another password does not end the work: it was asked for by whom it belongs to.
    """
    found = _as_now(User.id == user_id)
    if found is None:
        raise NotAllowed("The account it was made by is disabled.")
    return found


def named(username: str) -> Actor | None:
    """An account by its name, as it is now; None where there is none, or it is disabled."""
    return _as_now(User.username == username.lower())


def _as_now(which: ColumnElement[bool]) -> Actor | None:
    current = session()
    current.rollback()
    try:
        number = access_number(current)  # first, as in `recheck`
        user = current.scalar(select(User).where(which).execution_options(populate_existing=True))
        if user is None or user.disabled_us is not None:
            return None
        return Actor(
            user.id,
            user.username,
            user.role,
            access=number,
            stamp=user.stamp,
            must_change=user.must_change,
        )
    finally:
        current.rollback()


def access_number(current: Session) -> int:
    """How often accounts and sign-ins have changed."""
    return current.scalar(select(Change.number).where(Change.topic == ACCESS)) or 0


def queue(current: Session, actor: Actor | None = None) -> None:
    """Let one writer of accounts in at a time, until its transaction ends; SQLite has but one anyway.

    Raises NotSignedIn where `actor` has lost access on the way here.
    """
    current.execute(select(Change.number).where(Change.topic == ACCESS).with_for_update())
    if actor is not None:
        _found_good(current, actor)


def alive(family: TokenFamily) -> bool:
    """Whether a sign-in still holds, as far as it depends on itself."""
    return family.revoked_us is None and family.expires_us > now_us()


def _found_good(current: Session, actor: Actor) -> User:
    user = current.get(User, actor.id, populate_existing=True)
    if user is None or user.disabled_us is not None or user.stamp != actor.stamp:
        raise NotSignedIn(EXPIRED)
    if actor.family is not None:
        family = current.get(TokenFamily, actor.family, populate_existing=True)
        if family is None or family.user_id != user.id or not alive(family):
            raise NotSignedIn(EXPIRED)
    return user
