"""The second factor: codes of an app (TOTP, RFC 6238) beside the password, and recovery codes for a lost phone.

The secret of the app is nowhere on file. It is HMAC-SHA256 over a random number on file, under a key derived from the
server's own: the database alone tells nothing, and no cipher is needed to keep it so. Recovery codes have 123 bits and
are kept as SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import time
from base64 import b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyotp
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from webapp.db import RecoveryCode, SecondFactor, User
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, Problem
from webapp.services import guesses, passwords
from webapp.services.accounts import admins_only, confirm_password, cut_off, log, take
from webapp.services.clock import now_us
from webapp.services.people import Actor
from webapp.wording import said

ISSUER = "Parecer"
STEP_SECONDS = 30
#: Steps that a phone's clock may be off, either way.
WINDOW = 1
SALT_BYTES, SECRET_BYTES = 32, 20
#: Microseconds within which setting it up has to be finished.
PENDING = 15 * 60 * 1_000_000
CODES, GROUPS, GROUP = 10, 5, 5
DIGITS = re.compile(r"\d{6}", re.ASCII)
APP, RECOVERY = "app", "recovery"
WRONG = said("is not a code that holds now; type the one the app shows, each only once")
NOT_A_CODE = said("This code does not hold; type the one the app shows now, each only once.")


@dataclass(frozen=True, slots=True)
class State:
    """Whether an account has a second factor since when (microseconds UTC), and its unused recovery codes."""

    since_us: int | None
    codes_left: int

    @property
    def on(self) -> bool:
        """Whether a code is asked at sign-in."""
        return self.since_us is not None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app has to be told: the secret in base32, and the same as an otpauth URI."""

    secret: str
    uri: str


def state(user_id: int) -> State:
    """How an account stands."""
    row = session().get(SecondFactor, user_id, populate_existing=True)
    if row is None or row.confirmed_us is None:
        return State(None, 0)
    unused = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_us.is_(None))
    return State(row.confirmed_us, session().scalar(unused) or 0)


def begin(actor: Actor, password: str, address: str) -> None:
    """Prepare a second factor, to be confirmed from this sign-in; raises InvalidInput (`#/current`), Conflict."""
    confirm_password(actor, password, address)
    with transaction() as current:
        user = take(current, actor.username, actor)
        guesses.forgive(current, user.username)
        row = current.get(SecondFactor, user.id, populate_existing=True)
        if row is None:
            row = SecondFactor(user_id=user.id)
            current.add(row)
        elif row.confirmed_us is not None:
            raise Conflict(said("There is a second factor already; turn it off first."))
        row.salt, row.family, row.begun_us, row.last_step = os.urandom(SALT_BYTES), actor.family, now_us(), 0


def pending(actor: Actor, key: str) -> Enrolment | None:
    """What was begun from this sign-in and is not yet confirmed; nobody else is shown the secret."""
    row = session().get(SecondFactor, actor.id, populate_existing=True)
    if row is None or not _is_pending(row, actor):
        return None
    secret = _secret(row, key)
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=actor.username, issuer_name=ISSUER))


def confirm(actor: Actor, code: str, key: str) -> list[str]:
    """Turn on what was begun, with a code of the app; returns recovery codes, which nothing keeps in the clear.

    Raises InvalidInput (`#/code`), Conflict where nothing is begun.
    """
    with transaction() as current:
        user = take(current, actor.username, actor)
        row = current.get(SecondFactor, user.id, populate_existing=True)
        if row is None or not _is_pending(row, actor):
            raise Conflict(said("Nothing has been begun here, or too long ago; begin again."))
        if not _passes(current, row, code, key):
            raise InvalidInput([Problem("#/code", WRONG)])
        row.confirmed_us = now_us()
        log(current, "second-factor-on", actor, user)
        return _make_codes(current, user.id)


def renew_codes(actor: Actor, password: str, code: str, key: str, address: str) -> list[str]:
    """New recovery codes in place of all old ones; raises InvalidInput (`#/current`, `#/code`), Conflict, TooMany."""
    with _proven(actor, password, code, key, address) as (current, user):
        log(current, "recovery-codes-made", actor, user)
        return _make_codes(current, user.id)


def turn_off(actor: Actor, password: str, code: str, key: str, address: str) -> None:
    """Ask for no code any more; raises InvalidInput (`#/current`, `#/code`), Conflict, TooMany."""
    with _proven(actor, password, code, key, address) as (current, user):
        _forget(current, user.id)
        log(current, "second-factor-off", actor, user)


def reset(username: str, actor: Actor | None) -> None:
    """Take the second factor off somebody's account and end its sign-ins; raises NotFound, NotAllowed, Conflict."""
    admins_only(actor)
    with transaction() as current:
        user = take(current, username, actor)
        if not is_on(current, user.id):
            raise Conflict(said("{name} has no second factor.", name=user.username))
        _forget(current, user.id)
        guesses.forgive(current, user.username)
        cut_off(current, user)
        log(current, "second-factor-reset", actor, user)


def is_on(current: Session, user_id: int) -> bool:
    """Whether an account is asked for a code."""
    row = current.get(SecondFactor, user_id, populate_existing=True)
    return row is not None and row.confirmed_us is not None


def accepts(current: Session, user: User, code: str, key: str) -> str:
    """APP or RECOVERY where `code` is one that was not used before, which uses it up; empty otherwise.

    To be asked inside a transaction that has queued, so that of two who show the same code one is refused.
    """
    row = current.get(SecondFactor, user.id, populate_existing=True)
    return _passes(current, row, code, key) if row is not None and row.confirmed_us is not None else ""


@contextmanager
def _proven(actor: Actor, password: str, code: str, key: str, address: str) -> Iterator[tuple[Session, User]]:
    """A transaction of somebody who has shown password and code anew."""
    confirm_password(actor, password, address)
    with transaction() as current:
        user = take(current, actor.username, actor)
        if not is_on(current, user.id):
            raise Conflict(said("There is no second factor on this account."))
        if not accepts(current, user, code, key):
            raise InvalidInput([Problem("#/code", WRONG)])
        guesses.forgive(current, user.username)
        yield current, user


def _is_pending(row: SecondFactor, actor: Actor) -> bool:
    recent = now_us() - row.begun_us < PENDING
    return row.confirmed_us is None and recent and row.family == actor.family


def _passes(current: Session, row: SecondFactor, code: str, key: str) -> str:
    plain = re.sub(r"[\s-]", "", code).lower()
    if DIGITS.fullmatch(plain):
        step = _step_of(_secret(row, key), plain)
        if step is None or step <= row.last_step:
            return ""
        row.last_step = step
        return APP
    kept = current.get(RecoveryCode, (row.user_id, _hash(plain)), populate_existing=True)
    if kept is None or kept.used_us is not None:
        return ""
    kept.used_us = now_us()
    return RECOVERY


def _step_of(secret: str, code: str) -> int | None:
    """Which of the steps around now a code is of; every one is looked at, whichever matches."""
    app, now = pyotp.TOTP(secret), int(time.time()) // STEP_SECONDS
    found = None
    for step in range(now - WINDOW, now + WINDOW + 1):
        if hmac.compare_digest(app.at(step * STEP_SECONDS), code):
            found = step
    return found


def _secret(row: SecondFactor, key: str) -> str:
    own = hmac.digest(key.encode(), b"parecer second factor", hashlib.sha256)
    return b32encode(hmac.digest(own, row.salt, hashlib.sha256)[:SECRET_BYTES]).decode()


def _make_codes(current: Session, user_id: int) -> list[str]:
    current.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [passwords.letters(GROUPS, GROUP) for _ in range(CODES)]
    current.add_all(RecoveryCode(user_id=user_id, hash=_hash(code.replace("-", ""))) for code in codes)
    return codes


def _forget(current: Session, user_id: int) -> None:
    current.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    current.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
