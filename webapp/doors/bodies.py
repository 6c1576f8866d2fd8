"""JSON: bodies read, answers written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson
from flask import Response, current_app

from webapp import errors
from webapp.doors.frame import here
from webapp.errors import InvalidInput, Malformed, Problem, TooLarge
from webapp.headers import Data
from webapp.wording import said

DEEPEST = 16


def json_body(most: int | None = None) -> dict[str, Any]:
    """The request's body, a JSON object without duplicate names, of at most so many bytes if that is given.

    Raises UnsupportedMedia, TooLarge, Malformed or InvalidInput (pointer `#` when it is not an object).
    """
    asked, _ = here()
    if asked.environ.get("CONTENT_TYPE") != "application/json" and asked.mimetype != "application/json":
        raise errors.UnsupportedMedia(
            said("Send the body as JSON, with the header Content-Type: application/json.")
        )
    if asked.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise errors.UnsupportedMedia(said("Send the body as it is, without a Content-Encoding."))
    data = raw_body(most)
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed(
            said(
                "The body is not JSON: {fault} (line {line}, column {column}).",
                fault=error.msg,
                line=error.lineno,
                column=error.colno,
            )
        ) from None
    return whole_object(body, data)


def whole_object(body: Any, data: bytes) -> dict[str, Any]:
    """What was parsed from `data`, if it is an object without duplicate names; raises Malformed, InvalidInput."""
    # Each member has one colon outside strings, so as many members as colons means that none was lost.
    if _members(body) != data.count(b":"):
        _refuse_duplicates(data)
    if not isinstance(body, dict):
        raise InvalidInput([Problem("#", said("must be a JSON object"))])
    return body


def raw_body(most: int | None = None) -> bytes:
    """The request's body, of at most so many bytes if that is given; raises TooLarge, Malformed."""
    limit: int = current_app.config["MAX_CONTENT_LENGTH"]
    limit = limit if most is None else min(most, limit)
    asked, _ = here()
    environ = asked.environ
    data: bytes
    length = environ.get("CONTENT_LENGTH", "")
    if not length:  # in chunks; Werkzeug stops at the limit, and says so only to who reads on
        asked.max_content_length = limit
        data = asked.get_data()
        if len(data) >= limit:
            raise too_large(limit)
        return data
    if not (length.isascii() and length.isdigit()):
        raise Malformed(said("The header Content-Length must be a number."))
    if int(length) > limit:
        raise too_large(limit)
    try:
        data = environ["wsgi.input"].read(int(length))
    except OSError:  # too slow, or gone
        data = b""
    if len(data) != int(length):
        raise Malformed(
            said("The body ended, or its time did, before the length in its header; send it again.")
        )
    return data


def too_large(limit: int) -> TooLarge:
    """A body over the limit."""
    return TooLarge(said("The body may have {most} bytes; send less at once.", most=limit))


def _members(body: Any) -> int:
    """How many members all objects of a body have; raises Malformed when it is nested beyond reason."""
    found, level = 0, [body]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            if type(value) is dict:
                found += len(value)
                value = value.values()
            elif type(value) is not list:
                continue
            inner += [v for v in value if type(v) is dict or type(v) is list]
        if not inner:
            return found
        level = inner
    raise Malformed(said("The body is nested more than {most} levels deep; rows are flat.", most=DEEPEST))


def _refuse_duplicates(data: bytes) -> None:
    def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for name, value in pairs:
            if name in seen:
                told = said("the name {name} stands twice in one object; send it once", name=repr(name[:60]))
                raise InvalidInput([Problem("#", told)])
            seen[name] = value
        return seen

    try:
        json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Malformed(said("The body is not JSON that this server can read.")) from None


def json_bytes(value: Any) -> bytes:
    """JSON; floats as they are, never NaN; times in UTC."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer, as `json_bytes` writes it."""
    return Data(json_bytes(value), status)
