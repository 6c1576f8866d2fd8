"""Who is asking, and whether they may: sessions for pages, bearer tokens for programs, one table for both."""

from __future__ import annotations

import re

from flask import Flask, redirect, request, session, url_for
from flask_login import current_user
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response

from webapp.auth.bearers import bearer, long_token, make_tokens, read_token, remembered, shown_token
from webapp.auth.caller import actor, address, agent, factor_key
from webapp.auth.policy import (
    ANYONE,
    BEFORE_CHANGE,
    CARRIED,
    CHECKED_AT_COMMIT,
    POLICY,
    PREDICTORS,
    PUBLISHERS,
    SIGNED_IN,
    TOKEN_FACES,
    UPLOADS,
    WIRE_FACES,
    check_policy,
)
from webapp.auth.private import unnamed
from webapp.auth.visits import (
    behind,
    change_password,
    load,
    password_shown,
    sign_in,
    sign_in_further,
    sign_out,
)
from webapp.doors import MOST_FROM_ANYBODY, desk, expect_upload, here
from webapp.errors import NotAllowed, NotSignedIn
from webapp.extensions import csrf, login
from webapp.services.people import EXPIRED, ROLE_NAMES, Actor
from webapp.services.quota import network
from webapp.wording import said

__all__ = [
    "ANYONE",
    "CARRIED",
    "CHECKED_AT_COMMIT",
    "POLICY",
    "PREDICTORS",
    "PUBLISHERS",
    "SIGNED_IN",
    "TOKEN_FACES",
    "WIRE_FACES",
    "actor",
    "address",
    "agent",
    "bearer",
    "change_password",
    "check_policy",
    "enforce",
    "factor_key",
    "init_app",
    "long_token",
    "make_tokens",
    "not_for",
    "password_shown",
    "read_token",
    "remembered",
    "safe_next",
    "shown_token",
    "sign_in",
    "sign_in_further",
    "sign_out",
    "this_page",
    "visitor",
]


def init_app(app: Flask) -> None:
    """Wire the sessions, and put `enforce` before every request."""
    app.extensions["bearers"] = {}
    login.init_app(app)
    login.session_protection = None  # sessions are rows on file, checked at every request
    login.user_loader(load)
    # Nobody is remembered past the session, so no answer needs to be looked at for that cookie.
    app.after_request_funcs[None].remove(login._update_remember_cookie)
    app.before_request(enforce)


def visitor() -> Actor | None:
    """Who makes this request to an address open to anyone, if anybody known; raises NotSignedIn for a bad token.

    Somebody with a one-time password is nobody yet.
    """
    if "HTTP_AUTHORIZATION" in request.environ:
        desk().watch.numbers(fresh=True)
        return bearer(shown_token())
    found = current_user.actor if current_user.is_authenticated else None
    return None if found is None or found.must_change else found


def enforce() -> Response | None:
    """Let a request through, or raise NotSignedIn or NotAllowed; pages lead to the sign-in instead."""
    asked, frame = here()
    endpoint = asked.endpoint
    if endpoint is None:
        return None  # nothing at this address, or not with this method: the router says so
    allowed = POLICY.get(endpoint, frozenset())
    face = endpoint.partition(".")[0]
    by_token = face in TOKEN_FACES
    if not by_token:
        # A form is taken apart, for its token, whoever sent it, and all else waits: a large one for seconds.
        # Asked on file, and again below: `current_user` would be who it was before the body came.
        if asked.method == "POST":
            sender = behind(session.get("_user_id", ""))
            if sender is None:
                asked.max_content_length = min(
                    MOST_FROM_ANYBODY, asked.max_content_length or MOST_FROM_ANYBODY
                )
            elif endpoint in UPLOADS and sender.role in allowed and not sender.must_change:
                expect_upload(UPLOADS[endpoint])
        csrf.protect()
    if by_token:
        desk().addresses.spend(network(asked.remote_addr or ""))
    if allowed is ANYONE:
        return None
    if by_token:
        if endpoint not in CHECKED_AT_COMMIT:
            desk().watch.numbers(fresh=True)
        without = face in WIRE_FACES and "HTTP_AUTHORIZATION" not in asked.environ
        found = (unnamed(asked.environ) if without else None) or bearer(shown_token())
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


def not_for(role: str) -> str:
    """What somebody is told who asks for what others may do."""
    return said("The role {role} may not do this.", role=ROLE_NAMES.get(role, role))


def safe_next(target: str | None) -> str:
    """`target` if it is a path on this host, written in plain ASCII, and the first page otherwise."""
    return target if target and re.fullmatch(r"/(?!/)[!-\[\]-~]*", target) else "/"


def this_page() -> str | None:
    """The address of this page, for coming back to it after signing in; None for what is not just looked at."""
    return iri_to_uri(request.full_path.rstrip("?")) if request.method in ("GET", "HEAD") else None
