"""Access and refresh tokens: written, read, and remembered while they hold."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import jwt as pyjwt
from flask import Flask, current_app, request
from flask_jwt_extended import create_access_token, create_refresh_token

from webapp.doors import desk
from webapp.errors import NotSignedIn
from webapp.services import tokens
from webapp.services.desk import Desk
from webapp.services.people import EXPIRED, Actor
from webapp.services.tokens import Grant
from webapp.wording import said

ALGORITHM, ISSUER, AUDIENCE = "HS256", "parecer", "parecer-api"
# Our tokens always have the same header, and the last letter of a signature has two bits to spare that must
# be zero: anything else was not written here, and is refused before a byte of it is interpreted.
HEADER = pyjwt.encode({}, "-" * 32, ALGORITHM).partition(".")[0]
SHAPE = re.compile(rf"{HEADER}\.[\w-]{{16,1500}}\.[\w-]{{42}}[AEIMQUYcgkosw048]", re.ASCII)
CLAIMS = {"sub": str, "fam": str, "jti": str, "stamp": int, "exp": int, "iat": int, "type": str}
SUBJECT = re.compile(r"[1-9]\d{0,17}", re.ASCII)  # what fits a database's integer
REMEMBERED = 4096
NOTED_SECONDS = 3600


def bearer(token: str) -> Actor:
    """The person behind an access token, checked against everything that could have ended it.

    Raises NotSignedIn. Tokens found good are remembered until the next change of accounts.
    """
    known = remembered(current_app, token)
    if known is not None:
        return known
    seen = cast(dict[str, tuple[Actor, int]], current_app.extensions["bearers"])
    claims = read_token(token, "access")
    found = tokens.check(claims["fam"], int(claims["sub"]), claims["stamp"])
    if len(seen) >= REMEMBERED:
        seen.clear()
    if found.family:
        desk().seen.note(found.family)
    # Forgotten after an hour, and so asked about anew: that is how it is known when a token was last used.
    seen[token] = found, min(claims["exp"], int(time.time()) + NOTED_SECONDS)
    return found


def remembered(app: Flask, token: str) -> Actor | None:
    """The person behind a token found good before, if it has not run out and no account has changed since."""
    known = cast(dict[str, tuple[Actor, int]], app.extensions["bearers"]).get(token)
    if known is None or known[1] <= time.time():
        return None
    access = cast(Desk, app.extensions["desk"]).watch.numbers()["access"]
    return known[0] if known[0].access == access else None


def read_token(token: str, kind: str) -> dict[str, Any]:
    """The claims of a token of ours that is neither forged nor expired; `kind` is access or refresh.

    Raises NotSignedIn. PyJWT is asked directly: Flask-JWT-Extended reads the claims before it has checked the
    signature, and takes a token without a type for an access token.
    """
    if not SHAPE.fullmatch(token):
        raise NotSignedIn(EXPIRED)
    try:
        claims = pyjwt.decode(
            token,
            current_app.config["JWT_SECRET_KEY"],
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": [*CLAIMS, "iss", "aud"], "strict_aud": True},
        )
    except pyjwt.PyJWTError:
        raise NotSignedIn(EXPIRED) from None
    typed = all(type(claims[name]) is wanted for name, wanted in CLAIMS.items())
    if not typed or not SUBJECT.fullmatch(claims["sub"]) or claims["type"] != kind:
        raise NotSignedIn(EXPIRED)
    return claims


def make_tokens(grant: Grant) -> tuple[str, str, int]:
    """Access token, refresh token, and the seconds that the first is good for."""
    left = _left(grant)
    lifetime: timedelta = min(current_app.config["JWT_ACCESS_TOKEN_EXPIRES"], left)
    access = _token(create_access_token, grant, lifetime)
    refresh = _token(create_refresh_token, grant, left, jti=grant.jti)
    return access, refresh, int(lifetime.total_seconds())


def long_token(grant: Grant) -> str:
    """An access token that is good as long as its family, for programs that cannot renew one."""
    return _token(create_access_token, grant, _left(grant))


def shown_token() -> str:
    """The token in the Authorization header; raises NotSignedIn where there is none."""
    header: str = request.environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotSignedIn(
            said("Send an access token: Authorization: Bearer …; POST /api/v1/login gives one.")
        )
    return token


def _token(create: Callable[..., str], grant: Grant, lifetime: timedelta, **claims: str) -> str:
    own = {"fam": grant.actor.family, "stamp": grant.actor.stamp, **claims}
    return create(str(grant.actor.id), expires_delta=lifetime, additional_claims=own)


def _left(grant: Grant) -> timedelta:
    return timedelta(microseconds=grant.expires_us) - timedelta(seconds=time.time())
