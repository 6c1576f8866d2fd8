"""What of the API is going away: told on its answers (RFC 9745, RFC 8594) and in its description, then refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flask import Flask, Response, request
from werkzeug.http import http_date
from werkzeug.routing import Map

from webapp.api.blueprint import api
from webapp.errors import Gone
from webapp.services.clock import now_us
from webapp.wording import said

#: Between being called deprecated and being gone, at least.
NOTICE = timedelta(days=365)


class Ending(NamedTuple):
    """An endpoint that is deprecated from `since` on and gone from `sunset` on, both UTC; None: nobody knows yet.

    `page` tells why and what to do, `successor` is the address that takes its place, empty where none does.
    """

    since: datetime
    sunset: datetime | None
    page: str
    successor: str = ""


#: Endpoint → how it ends.
ENDINGS: dict[str, Ending] = {}


def init_app(app: Flask) -> None:
    """Watch over the endpoints that end, if any do; raises RuntimeError for one that is unknown or ends too soon."""
    wrong = [name for name, ending in ENDINGS.items() if name not in app.view_functions or _too_soon(ending)]
    if wrong:
        raise RuntimeError(
            f"deprecations.ENDINGS: unknown, without a zone, or with less than {NOTICE.days} days: {wrong}"
        )
    if ENDINGS:
        app.before_request(_refuse)
        app.after_request(_tell)


def mark(document: dict[str, Any], rules: Map) -> dict[str, Any]:
    """The OpenAPI document, with what is deprecated marked so, and its 410."""
    ending = [
        (
            re.compile(re.sub("<[^>]+>", "[^/]+", rule.rule.removeprefix(api.url_prefix or ""))),
            rule.methods or (),
        )
        for rule in rules.iter_rules()
        if rule.endpoint in ENDINGS
    ]
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    gone = {"410": {"description": "Gone", "content": {"application/problem+json": problem}}}
    paths = {
        path: {
            method: {**told, "deprecated": True, "responses": {**told["responses"], **gone}}
            if any(shape.fullmatch(path) and method.upper() in methods for shape, methods in ending)
            else told
            for method, told in operations.items()
        }
        for path, operations in document["paths"].items()
    }
    return {**document, "paths": paths}


def _too_soon(ending: Ending) -> bool:
    if ending.since.tzinfo is None or (ending.sunset and ending.sunset.tzinfo is None):
        return True
    return ending.sunset is not None and ending.sunset - ending.since < NOTICE


def _refuse() -> None:
    ending = ENDINGS.get(request.endpoint or "")
    if ending is None or ending.sunset is None or now_us() < ending.sunset.timestamp() * 1_000_000:
        return
    day = ending.sunset.astimezone(UTC).date().isoformat()
    if ending.successor:
        raise Gone(
            said("This address is gone since {day}; use {address}.", day=day, address=ending.successor)
        )
    raise Gone(said("This address is gone since {day}; {page} tells what to do.", day=day, page=ending.page))


def _tell(response: Response) -> Response:
    ending = ENDINGS.get(request.endpoint or "")
    if ending is not None:
        for name, value in _headers(ending):
            response.headers.add(name, value)
    return response


def _headers(ending: Ending) -> Iterator[tuple[str, str]]:
    yield "Deprecation", f"@{int(ending.since.timestamp())}"
    if ending.sunset is not None:
        yield "Sunset", http_date(ending.sunset)
    yield "Link", f'<{ending.page}>; rel="deprecation"; type="text/html"'
    if ending.successor:
        yield "Link", f'<{ending.successor}>; rel="successor-version"'
