"""How often a password may be tried, counted in the database so that it holds for all workers together."""

from __future__ import annotations

import hashlib
import math
from ipaddress import IPv6Address, ip_address

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from webapp.db import LoginFailure
from webapp.db.base import session, transaction
from webapp.errors import TooMany
from webapp.services.clock import now_us
from webapp.services.people import queue
from webapp.wording import said

SECOND = 1_000_000
#: Microseconds after which a wrong password is forgotten.
WINDOW = 15 * 60 * SECOND
#: For one name from one address: a stranger elsewhere closes a name for himself, not for its owner.
MOST = 10
#: From one address at all names: an office behind one address errs less, a list of names is tried slowly.
MOST_FROM_ADDRESS = 50
#: At one name from all addresses: who has many of them still needs years for a password that is allowed here.
MOST_AT_NAME = 100


def origin(address: str) -> str:
    """Whom an address stands for: an IPv6 line comes with 2^64 of them, so its first half counts."""
    try:
        read = ip_address(address)
    except ValueError:
        return address
    if not isinstance(read, IPv6Address):
        return address
    return str(read.ipv4_mapped or IPv6Address(int(read) >> 64 << 64))


def refuse_spent(username: str, address: str) -> None:
    """Raises TooMany where no guess is left, with the seconds until the oldest is forgotten; writes nothing."""
    current = session()
    try:
        _refuse_more(current, *_halves(username, address))
    finally:
        current.rollback()  # who goes on to wait for a turn must not sit on a connection


def spend(username: str, address: str) -> None:
    """Count a guess as wrong before it is checked, so that guesses side by side cannot outrun the count.

    Names that nobody has are counted as well. Raises TooMany as `refuse_spent` does.
    """
    name, place = _halves(username, address)
    with transaction() as current:
        queue(current)
        now = now_us()
        # A time ahead of now was written before the clock was set back.
        gone = or_(LoginFailure.at_us <= now - WINDOW, LoginFailure.at_us > now + WINDOW)
        current.execute(delete(LoginFailure).where(gone))
        _refuse_more(current, name, place)
        # Twice, so that the index finds it by either half: a flood leaves many.
        current.add_all(LoginFailure(account=key, at_us=now) for key in (name + place, place + name))


def forgive(current: Session, username: str) -> None:
    """Forget the guesses at a name from anywhere, in the caller's transaction."""
    name, _ = _halves(username, "")
    current.execute(delete(LoginFailure).where(or_(_begins(name), LoginFailure.account.endswith(name))))


def _refuse_more(current: Session, name: str, place: str) -> None:
    now = now_us()
    recent = LoginFailure.at_us.between(now - WINDOW + 1, now + WINDOW)
    limits = (
        (LoginFailure.account == name + place, MOST),
        (_begins(place), MOST_FROM_ADDRESS),
        (_begins(name), MOST_AT_NAME),
    )
    counted = select(func.count(), func.min(LoginFailure.at_us)).where(recent)
    found = [(*current.execute(counted.where(same)).one(), most) for same, most in limits]
    spent = [oldest for number, oldest, most in found if number >= most]
    if spent:
        wait = min(max(1, math.ceil((max(spent) + WINDOW - now) / SECOND)), WINDOW // SECOND)
        minutes = math.ceil(wait / 60)
        raise TooMany(said("Too many wrong passwords; try again in {minutes} min.", minutes=minutes), wait)


def _begins(half: str) -> ColumnElement[bool]:
    return LoginFailure.account.between(half, half + "o")  # after it comes the other half's "a" or "n"


def _halves(username: str, address: str) -> tuple[str, str]:
    # Hashed, because people type passwords into the wrong field; and any length fits.
    return _half("n", username.lower()), _half("a", origin(address))


def _half(kind: str, text: str) -> str:
    return kind + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:31]
