"""Lists that are read in pages, and the links from one to the next (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from flask import Response, current_app, request, url_for

from webapp.auth import actor
from webapp.doors import json_response
from webapp.errors import InvalidInput, Problem
from webapp.services.paging import Page

T = TypeVar("T")
MOST = 100


def paged(search: Callable[..., Page[T]], present: Callable[[T], dict[str, Any]]) -> Response:
    """A page by `?limit=` and `?cursor=` of what `search` finds; raises InvalidInput, Malformed."""
    page = search(
        actor(),
        limit=whole("limit", 20, 1, MOST),
        key=current_app.config["SECRET_KEY"],
        cursor=request.args.get("cursor"),
    )
    return page_of([present(one) for one in page.rows], page.older, page.newer, ("limit",))


def page_of(data: list[Any], older: str | None, newer: str | None, words: Collection[str]) -> Response:
    """The answer: some lines and the cursor of what is older; links that keep `words` of the address."""
    answer = json_response({"data": data, "has_more": older is not None, "next_cursor": older})
    kept: dict[str, Any] = {word: request.args[word] for word in words if word in request.args}
    turns: dict[str, dict[str, Any]] = {"first": {}}
    turns |= {rel: {"cursor": cursor} for rel, cursor in (("next", older), ("prev", newer)) if cursor}
    answer.headers["Link"] = ", ".join(
        f'<{url_for(str(request.endpoint), **kept, **turn)}>; rel="{rel}"' for rel, turn in turns.items()
    )
    return answer


def whole(name: str, default: int, least: int, most: int) -> int:
    """A whole number in the address; raises InvalidInput."""
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 9 and least <= int(text) <= most):
        raise InvalidInput([Problem(f"#/{name}", f"must be a whole number from {least} to {most}")])
    return int(text)
