"""Who makes this request, and from where."""

from __future__ import annotations

from flask import current_app, g, request

from webapp.errors import NotSignedIn
from webapp.services.people import Actor
from webapp.wording import said


def actor() -> Actor:
    """Who makes this request; raises NotSignedIn where nobody has to."""
    found: Actor | None = g.get("actor")
    if found is None:
        raise NotSignedIn(said("Sign in first."))
    return found


def address() -> str:
    """Where this request comes from, as far as the proxies are believed."""
    return request.remote_addr or ""


def agent() -> str:
    """What the client of this request calls itself."""
    return request.headers.get("User-Agent", "")


def factor_key() -> str:
    """What the second factors of this installation hang on."""
    return str(current_app.config["SECRET_KEY"])
