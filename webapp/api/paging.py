"""Lists that are read in pages, each beginning after the last id of the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request

from webapp.api.records import whole
from webapp.auth import actor
from webapp.doors import json_response

MOST = 100


def paged(search: Callable[..., list[Any]], present: Callable[[Any], dict[str, Any]]) -> Response:
    """A page by `?limit=` and `?cursor=`; raises InvalidInput.

    `search(actor, limit=, before=)` gives what the actor may see, newest first, from after the id `before`.
    """
    limit = whole("limit", 20, 1, MOST)
    found = search(actor(), limit=limit + 1, before=request.args.get("cursor", ""))
    more = len(found) > limit
    body = {
        "data": [present(one) for one in found[:limit]],
        "has_more": more,
        "next_cursor": found[limit - 1].id if more else None,
    }
    return json_response(body)
