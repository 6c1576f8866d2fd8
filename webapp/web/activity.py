"""What happened besides predictions, for auditors and admins."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from webapp.auth import actor
from webapp.errors import InvalidInput
from webapp.services import activity
from webapp.services.activity import Wanted

blueprint = Blueprint("activity", __name__, url_prefix="/admin/activity")
ROWS = 50
WORDS = ("kind", "person", "from", "to")


@blueprint.get("")
def index() -> str | tuple[str, int]:
    """Events, newest first, as kind, person, from and to in the address say."""
    problems: dict[str, str] = {}
    try:
        wanted = Wanted.read(request.args)
    except InvalidInput as error:
        problems = {p.pointer.removeprefix("#/"): p.detail for p in error.problems}
        wanted = Wanted.read({word: text for word, text in request.args.items() if word not in problems})
    page = render_template(
        "activity/index.html",
        asked=request.args,
        kept={word: text for word, text in request.args.items() if word in WORDS},
        wanted=wanted,
        problems=problems,
        kinds=activity.kinds(),
        page=activity.search(actor(), wanted, limit=ROWS, cursor=request.args.get("cursor", "")),
    )
    return (page, 422) if problems else page
