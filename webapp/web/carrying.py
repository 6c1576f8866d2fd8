"""What was typed into a form, carried through a sign-in and back: never in an address, a cookie or a log.

Its values travel from page to page in a hidden field. At the end the form is shown again with them, and asks nothing
until somebody presses its button.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import cast
from urllib.parse import quote_plus

from flask import Response, g, make_response, render_template, request, session, url_for
from flask_babel import gettext

from webapp import auth
from webapp.doors import MOST_FROM_ANYBODY
from webapp.errors import printable
from webapp.web.forms import ONCE, TOKEN

FIELD = "carried"
#: Of what somebody who is not signed in may send, for the fields of the sign-in.
ROOM = 4096


@dataclass(frozen=True)
class Carried:
    """A form on its way: the model and version it asks, the account that typed it if known, its fields."""

    model: str
    version: str
    account: str
    fields: dict[str, str]

    def address(self) -> str:
        """Where the form is shown again."""
        return url_for("predictions.fill", name=self.model, version=self.version or None)

    def packed(self) -> str:
        """As the hidden field holds it."""
        return json.dumps(asdict(self), ensure_ascii=False)


def sent() -> Carried | None:
    """What this request sent to a form that asks a model; None where that is nothing, or another page."""
    if request.endpoint not in auth.CARRIED:
        return None
    fields = {name: text for name, text in request.form.items() if text and name not in (TOKEN, ONCE)}
    name = (request.view_args or {}).get("name", "")
    return Carried(name, request.args.get("version", ""), _account(), fields) if fields else None


def carried() -> Carried | None:
    """What is on its way through this page."""
    if FIELD in g:
        return cast(Carried | None, g.get(FIELD))
    try:
        found = Carried(**json.loads(request.form.get(FIELD, "")))
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(found.fields, dict) or not found.model:
        return None
    texts = (found.model, found.version, found.account, *found.fields.values())
    return found if all(isinstance(text, str) and printable(text) == text for text in texts) else None


def lost(found: Carried, *, signed_in: bool) -> Response | None:
    """The page that answers a form nobody may send now, or not from there; None where it cannot be carried on."""
    g.carried = found
    if signed_in:
        return make_response(render_template("login/carried.html", stale=True), 400)
    if len(quote_plus(found.packed(), errors="replace")) > MOST_FROM_ANYBODY - ROOM:
        return None
    refused = gettext("Your sign-in has ended, and nothing was asked. Sign in: what you typed comes back.")
    return make_response(render_template("login/sign_in.html", refused=refused, username=""), 401)


def onward() -> str | None:
    """The page after a sign-in that brings the form back; None where nothing is carried, or somebody else came in."""
    found = carried()
    if found is None or (found.account and found.account != _account()):
        return None
    g.carried = found
    return render_template("login/carried.html", stale=False)


def _account() -> str:
    return str(session.get("_user_id", "")).partition(":")[0]


GLOBALS = {"carried": carried}
