"""Browser sessions: begun with a password and perhaps a code, ended on file and in the browser."""

from __future__ import annotations

import time

from flask import current_app, session
from flask_login import UserMixin, login_user, logout_user

from webapp.auth.caller import actor, address, agent, factor_key
from webapp.doors import desk
from webapp.errors import CodeNeeded, NotSignedIn
from webapp.services import tokens, users
from webapp.services.people import EXPIRED, Actor
from webapp.services.tokens import Grant, Origin

SEEN_SECONDS = 60
#: Between password and code, in the browser's session: account, stamp, and until when.
STEP, STEP_SECONDS = "step", 300


class Visitor(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    """What Flask-Login keeps of a signed-in person."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def get_id(self) -> str:
        """Account, stamp and sign-in: all three must still hold."""
        return f"{self.actor.id}:{self.actor.stamp}:{self.actor.family}"


def sign_in(username: str, password: str) -> Actor:
    """Start a browser session in place of whatever the browser had; raises NotSignedIn, TooMany.

    Raises CodeNeeded where `sign_in_further` has to follow within STEP_SECONDS, in this browser.
    """
    seconds: int = current_app.config["SESSION_SECONDS"]
    session.pop(STEP, None)
    try:
        return _enter(tokens.sign_in_person(username, password, seconds, address(), agent()))
    except CodeNeeded as needed:
        session[STEP] = [needed.account, needed.stamp, int(time.time()) + STEP_SECONDS]
        raise


def password_shown() -> bool:
    """Whether this browser has shown the right password a moment ago, and a code is still to come."""
    return _between_steps() is not None


def sign_in_further(code: str) -> Actor:
    """The second step: as `sign_in`, with a code of the app or of recovery.

    Raises CodeNeeded where it does not hold, NotSignedIn where the password was shown too long ago, TooMany.
    """
    shown = _between_steps()
    if shown is None:
        raise NotSignedIn(EXPIRED)
    seconds: int = current_app.config["SESSION_SECONDS"]
    return _enter(tokens.sign_in_further(shown, code, seconds, factor_key(), address(), agent()))


def change_password(current: str, new: str) -> Actor:
    """Change the password of whoever makes this request; only this browser stays signed in.

    Raises InvalidInput (`#/current`, `#/password`), TooMany after too many wrong guesses.
    """
    changed = users.change_password(actor(), current, new, address())
    origin = Origin(tokens.BROWSER, address(), agent())
    return _begin_session(tokens.open_family(changed, current_app.config["SESSION_SECONDS"], origin))


def sign_out() -> None:
    """End this browser's session, on file and in the browser."""
    tokens.revoke(actor())
    logout_user()
    session.clear()


def load(visitor: str) -> Visitor | None:
    now = int(time.time())
    idle = now - session.get("seen", 0)
    if idle > current_app.config["SESSION_IDLE_SECONDS"]:
        return None
    found = behind(visitor)
    if idle >= SEEN_SECONDS:
        session["seen"] = now
        if found and found.family:
            desk().seen.note(found.family)
    return Visitor(found) if found else None


def behind(visitor: str) -> Actor | None:
    if not visitor:
        return None
    user_id, stamp, family = visitor.split(":", 2)
    try:
        return tokens.check(family, int(user_id), int(stamp))
    except NotSignedIn:
        return None


def _between_steps() -> CodeNeeded | None:
    account, stamp, until = session.get(STEP) or (0, 0, 0)
    return CodeNeeded("", account, stamp) if time.time() < until else None


def _enter(grant: Grant) -> Actor:
    # On file too, and even one left unused too long: a copy of its cookie must not outlive it.
    if former := behind(session.get("_user_id", "")):
        tokens.revoke(former)
    return _begin_session(grant)


def _begin_session(grant: Grant) -> Actor:
    chosen = session.get("language")
    session.clear()
    if chosen:
        session["language"] = chosen  # on the sign-in page
    login_user(Visitor(grant.actor))
    session["seen"] = int(time.time())
    return grant.actor
