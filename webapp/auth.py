"""Who is asking, and whether they may: sessions for pages, bearer tokens for programs, one table for both."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, cast

import jwt as pyjwt
from flask import Flask, current_app, g, redirect, request, session, url_for
from flask_jwt_extended import create_access_token, create_refresh_token
from flask_login import UserMixin, current_user, login_user, logout_user
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response

from webapp.doors import MOST_FROM_ANYBODY, desk, expect_upload, here
from webapp.errors import CodeNeeded, NotAllowed, NotSignedIn
from webapp.extensions import csrf, login
from webapp.services import tokens, users
from webapp.services.desk import Desk
from webapp.services.people import EXPIRED, ROLE_NAMES, Actor
from webapp.services.tokens import Grant, Origin
from webapp.wording import said

Roles = frozenset[str]

ANYONE: Final[Roles] = frozenset({"anyone"})
SIGNED_IN: Final[Roles] = frozenset({"analyst", "publisher", "auditor", "admin"})
PREDICTORS: Final[Roles] = SIGNED_IN - {"auditor"}
READERS: Final[Roles] = frozenset({"auditor", "admin"})
ADMINS: Final[Roles] = frozenset({"admin"})

#: Every endpoint and who may call it; the start fails for one that has no row. Whose records a person sees is
#: decided further down, in the services.
POLICY: dict[str, Roles] = {
    "bootstrap.static": ANYONE,
    "probes.livez": ANYONE,
    "probes.readyz": ANYONE,
    "probes.metrics": ANYONE,  # of this machine, which the probe checks itself
    "api.login": ANYONE,
    "api.refresh": ANYONE,  # shows a refresh token, which is no access token
    "api.logout": SIGNED_IN,
    "api.list_models": SIGNED_IN,
    "api.show_model": SIGNED_IN,
    "api.list_versions": SIGNED_IN,
    "api.predict": PREDICTORS,
    "api.predict_default": PREDICTORS,
    "api.list_predictions": SIGNED_IN,
    "api.show_prediction": SIGNED_IN,
    "api.report_outcome": PREDICTORS,
    "api.batches": SIGNED_IN,  # to look at; who may send one is asked where it is taken in
    "api.show_job": SIGNED_IN,
    "api.cancel_job": PREDICTORS,
    "api.show_result": SIGNED_IN,
    "api.openapi_document": ANYONE,  # the models are in it only for somebody signed in
    "api.docs": ANYONE,
    "api.errors": ANYONE,
    "api.docs_asset": ANYONE,
    "login.sign_in": ANYONE,
    "login.code": ANYONE,  # who has shown a password in the same browser, which the page checks itself
    "login.reset": ANYONE,  # who has the link
    "login.sign_out": SIGNED_IN,
    "home.dashboard": SIGNED_IN,
    "home.chart": SIGNED_IN,
    "models.index": SIGNED_IN,
    "models.show": SIGNED_IN,
    "predictions.form": PREDICTORS,
    "predictions.fill": PREDICTORS,  # shows the form again with other values in it, and asks nothing
    "history.index": SIGNED_IN,
    "history.export": SIGNED_IN,
    "history.export_parquet": SIGNED_IN,
    "history.record": SIGNED_IN,
    "history.print_record": SIGNED_IN,
    "history.list_saved": SIGNED_IN,
    "history.save": SIGNED_IN,
    "history.change_saved": SIGNED_IN,
    "history.review": PREDICTORS,
    "history.outcome": PREDICTORS,
    "audit.print_history": SIGNED_IN,
    "jobs.index": SIGNED_IN,
    "jobs.new": PREDICTORS,
    "jobs.show": SIGNED_IN,
    "jobs.state": SIGNED_IN,
    "jobs.result": SIGNED_IN,
    "jobs.problems": SIGNED_IN,
    "jobs.act": PREDICTORS,
    "account.index": SIGNED_IN,
    "account.display": SIGNED_IN,
    "account.make_token": SIGNED_IN,
    "account.end_sign_in": SIGNED_IN,
    "account.end_others": SIGNED_IN,
    "account.factor": SIGNED_IN,
    "account.change_factor": SIGNED_IN,
    "admin.people": ADMINS,
    "admin.create_user": ADMINS,
    "admin.person": ADMINS,
    "admin.change_user": ADMINS,
    "access.index": ADMINS,
    "access.model": ADMINS,
    "activity.index": READERS,
    "assets.send": ANYONE,
}
#: Faces of programs: they take tokens and never the cookie.
TOKEN_FACES = frozenset({"api"})
#: Their records are committed only if no account changed meanwhile, so they may trust a recent count.
CHECKED_AT_COMMIT = frozenset({"api.predict", "api.predict_default"})
#: They take a file, which may be larger than other bodies.
UPLOADS = frozenset({"jobs.new"})
#: What was typed into these forms is carried through a sign-in, where one is needed to send them.
CARRIED = frozenset({"predictions.form", "predictions.fill"})
#: What somebody with a one-time password can still open.
BEFORE_CHANGE = frozenset({"account.index", "login.sign_out"})

ALGORITHM, ISSUER, AUDIENCE = "HS256", "parecer", "parecer-api"
# Our tokens always have the same header, and the last letter of a signature has two bits to spare that must
# be zero: anything else was not written here, and is refused before a byte of it is interpreted.
HEADER = pyjwt.encode({}, "-" * 32, ALGORITHM).partition(".")[0]
SHAPE = re.compile(rf"{HEADER}\.[\w-]{{16,1500}}\.[\w-]{{42}}[AEIMQUYcgkosw048]", re.ASCII)
CLAIMS = {"sub": str, "fam": str, "jti": str, "stamp": int, "exp": int, "iat": int, "type": str}
SUBJECT = re.compile(r"[1-9]\d{0,17}", re.ASCII)  # what fits a database's integer
REMEMBERED = 4096
SEEN_SECONDS = 60
NOTED_SECONDS = 3600
#: Between password and code, in the browser's session: account, stamp, and until when.
STEP, STEP_SECONDS = "step", 300


def init_app(app: Flask) -> None:
    """Wire the sessions, and put `enforce` before every request."""
    app.extensions["bearers"] = {}
    login.init_app(app)
    login.session_protection = None  # sessions are rows on file, checked at every request
    login.user_loader(_load)
    # Nobody is remembered past the session, so no answer needs to be looked at for that cookie.
    app.after_request_funcs[None].remove(login._update_remember_cookie)
    app.before_request(enforce)


def check_policy(app: Flask) -> None:
    """Raises RuntimeError naming endpoints without a row in POLICY, and rows without an endpoint."""
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    bare, stale = sorted(endpoints - POLICY.keys()), sorted(POLICY.keys() - endpoints)
    if bare or stale:
        raise RuntimeError(f"auth.POLICY: endpoints without a row: {bare}; rows without an endpoint: {stale}")


def actor() -> Actor:
    """Who makes this request; raises NotSignedIn where nobody has to."""
    found: Actor | None = g.get("actor")
    if found is None:
        raise NotSignedIn(said("Sign in first."))
    return found


def visitor() -> Actor | None:
    """Who makes this request to an address open to anyone, if anybody known; raises NotSignedIn for a bad token.

    Somebody with a one-time password is nobody yet.
    """
    if "HTTP_AUTHORIZATION" in request.environ:
        desk().watch.numbers(fresh=True)
        return bearer(shown_token())
    found = current_user.actor if current_user.is_authenticated else None
    return None if found is None or found.must_change else found


def address() -> str:
    """Where this request comes from, as far as the proxies are believed."""
    return request.remote_addr or ""


def agent() -> str:
    """What the client of this request calls itself."""
    return request.headers.get("User-Agent", "")


def factor_key() -> str:
    """What the second factors of this installation hang on."""
    return str(current_app.config["SECRET_KEY"])


def enforce() -> Response | None:
    """Let a request through, or raise NotSignedIn or NotAllowed; pages lead to the sign-in instead."""
    asked, frame = here()
    endpoint = asked.endpoint
    if endpoint is None:
        return None  # nothing at this address, or not with this method: the router says so
    allowed = POLICY.get(endpoint, frozenset())
    by_token = endpoint.partition(".")[0] in TOKEN_FACES
    if not by_token:
        # A form is taken apart, for its token, whoever sent it, and all else waits: a large one for seconds.
        # Asked on file, and again below: `current_user` would be who it was before the body came.
        if asked.method == "POST":
            sender = _behind(session.get("_user_id", ""))
            if sender is None:
                asked.max_content_length = min(
                    MOST_FROM_ANYBODY, asked.max_content_length or MOST_FROM_ANYBODY
                )
            elif endpoint in UPLOADS and sender.role in allowed and not sender.must_change:
                expect_upload()
        csrf.protect()
    if allowed is ANYONE:
        return None
    if by_token:
        if endpoint not in CHECKED_AT_COMMIT:
            desk().watch.numbers(fresh=True)
        found = bearer(shown_token())
    else:
        if not current_user.is_authenticated:
            if asked.method == "POST" and endpoint in CARRIED:
                raise NotSignedIn(EXPIRED)
            return redirect(url_for("login.sign_in", next=this_page()))
        found = current_user.actor
        if found.must_change and endpoint not in BEFORE_CHANGE:
            return redirect(url_for("account.index"))
    if found.role not in allowed:
        raise NotAllowed(not_for(found.role))
    frame.actor = found
    return None


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


def not_for(role: str) -> str:
    """What somebody is told who asks for what others may do."""
    return said("The role {role} may not do this.", role=ROLE_NAMES.get(role, role))


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


def _token(create: Callable[..., str], grant: Grant, lifetime: timedelta, **claims: str) -> str:
    own = {"fam": grant.actor.family, "stamp": grant.actor.stamp, **claims}
    return create(str(grant.actor.id), expires_delta=lifetime, additional_claims=own)


def _left(grant: Grant) -> timedelta:
    return timedelta(microseconds=grant.expires_us) - timedelta(seconds=time.time())


def shown_token() -> str:
    """The token in the Authorization header; raises NotSignedIn where there is none."""
    header: str = request.environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotSignedIn(
            said("Send an access token: Authorization: Bearer …; POST /api/v1/login gives one.")
        )
    return token


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


def _between_steps() -> CodeNeeded | None:
    account, stamp, until = session.get(STEP) or (0, 0, 0)
    return CodeNeeded("", account, stamp) if time.time() < until else None


def _enter(grant: Grant) -> Actor:
    # On file too, and even one left unused too long: a copy of its cookie must not outlive it.
    if former := _behind(session.get("_user_id", "")):
        tokens.revoke(former)
    return _begin_session(grant)


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


def _begin_session(grant: Grant) -> Actor:
    chosen = session.get("language")
    session.clear()
    if chosen:
        session["language"] = chosen  # on the sign-in page
    login_user(Visitor(grant.actor))
    session["seen"] = int(time.time())
    return grant.actor


def _load(visitor: str) -> Visitor | None:
    now = int(time.time())
    idle = now - session.get("seen", 0)
    if idle > current_app.config["SESSION_IDLE_SECONDS"]:
        return None
    found = _behind(visitor)
    if idle >= SEEN_SECONDS:
        session["seen"] = now
        if found and found.family:
            desk().seen.note(found.family)
    return Visitor(found) if found else None


def _behind(visitor: str) -> Actor | None:
    if not visitor:
        return None
    user_id, stamp, family = visitor.split(":", 2)
    try:
        return tokens.check(family, int(user_id), int(stamp))
    except NotSignedIn:
        return None


def safe_next(target: str | None) -> str:
    """`target` if it is a path on this host, written in plain ASCII, and the first page otherwise."""
    return target if target and re.fullmatch(r"/(?!/)[!-\[\]-~]*", target) else "/"


def this_page() -> str | None:
    """The address of this page, for coming back to it after signing in; None for what is not just looked at."""
    return iri_to_uri(request.full_path.rstrip("?")) if request.method in ("GET", "HEAD") else None
