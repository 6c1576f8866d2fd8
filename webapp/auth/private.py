"""Callers who can show no token: those of a listener of its own, on behalf of one account.

Some clients have no way to send a header. Where an operator opens a listener for them, whoever reaches it asks in the
name of the account that is set for it, so it belongs on an address that only such programs reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app

from webapp.doors import desk
from webapp.errors import NotAllowed
from webapp.services import people
from webapp.services.people import Actor
from webapp.wording import said

#: An admin's name opens too much for a request that shows nothing.
ROLES = frozenset({"analyst", "publisher"})
#: What a browser sends along and a program does not: a page elsewhere must not ask through somebody's browser.
OF_BROWSERS = frozenset({"HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_MODE"})


def unnamed(environ: Mapping[str, Any]) -> Actor | None:
    """Who asks without a token, where the private listener lets them; None on any other. Raises NotAllowed."""
    bound, name = current_app.config["PRIVATE_BIND"], current_app.config["PRIVATE_ACCOUNT"]
    if not bound or _listener(environ) != bound:
        return None
    if not OF_BROWSERS.isdisjoint(environ):
        raise NotAllowed(said("This address is for programs; it answers no browser."))
    access = desk().watch.numbers(fresh=True)["access"]
    kept: Actor | None = current_app.extensions.get("private_actor")
    if kept is None or kept.access != access:
        kept = current_app.extensions["private_actor"] = people.named(name)
    if kept is None or kept.must_change or kept.role not in ROLES:
        raise NotAllowed(
            said(
                "This address answers in the name of {account}, which has to be an analyst or a publisher who can "
                "sign in; ask an admin.",
                account=name,
            )
        )
    return kept


def _listener(environ: Mapping[str, Any]) -> str:
    """Where the server took the request: the kernel says so, and no header."""
    sock = environ.get("gunicorn.socket")
    if sock is None:
        return ""
    place = sock.getsockname()
    if isinstance(place, tuple):
        host, port = place[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"unix:{place}"
