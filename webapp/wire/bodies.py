"""Bodies as clients of other servers send them: of any media type, packed, with NaN among the numbers."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any

import orjson
from flask import current_app

from webapp.doors import here, idempotency_key, raw_body, too_large, whole_object
from webapp.errors import InvalidInput, Malformed, Problem, UnsupportedMedia
from webapp.services.predictions import Ask
from webapp.wording import said

#: zlib's window bits for each Content-Encoding; gzip and zlib are told apart by their first bytes.
PACKED = {"gzip": 47, "x-gzip": 47, "deflate": 47}
#: Problems of one request that are told one by one.
MOST_TOLD = 5
LONGEST_TEXT = 200


def sent() -> bytes:
    """The body of this request, unpacked; raises UnsupportedMedia, TooLarge, Malformed."""
    asked, _ = here()
    encoding = asked.headers.get("Content-Encoding", "identity").strip().lower()
    data = raw_body()
    if encoding == "identity":
        return data
    if encoding not in PACKED:
        raise UnsupportedMedia(
            said(
                "Send the body as it is, or packed with gzip or deflate, not {encoding}.",
                encoding=encoding[:40],
            )
        )
    return _unpacked(data, PACKED[encoding], current_app.config["MAX_CONTENT_LENGTH"])


def _unpacked(data: bytes, window: int, limit: int) -> bytes:
    packer = zlib.decompressobj(window)
    try:
        found = packer.decompress(data, limit + 1)
    except zlib.error:
        raise Malformed(said("The packed body cannot be unpacked; send it again.")) from None
    if len(found) > limit:
        raise too_large(limit)
    if not packer.eof or packer.unused_data:
        raise Malformed(said("The packed body cannot be unpacked; send it again."))
    return found


def json_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`, in which NaN and the infinities may stand where a number may.

    Raises Malformed, or InvalidInput when it is another value or a name stands twice in an object.
    """
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        body = _loosely(data)
    return whole_object(body, data)


def _loosely(data: bytes) -> Any:
    try:
        body = json.loads(data.decode())
        orjson.dumps(
            body
        )  # raises for what nothing here could store or send: surrogates, numbers of 20 digits
    except (ValueError, TypeError, RecursionError):
        raise Malformed(said("The body is not JSON that this server can read.")) from None
    return body


def text_of(holder: dict[str, Any], name: str, at: str = "#") -> str | None:
    """A member that is a short string, or None; `at` points to `holder`. Raises InvalidInput."""
    value = holder.get(name)
    if value is not None and (type(value) is not str or len(value) > LONGEST_TEXT):
        told = said("must be a string of at most {most} characters", most=LONGEST_TEXT)
        raise InvalidInput([Problem(f"{at}/{name}", told)])
    return value or None


def repeatable(ask: Ask, data: bytes) -> None:
    """Take the Idempotency-Key of this request, if it has one, for the same address and body; raises InvalidInput."""
    asked, _ = here()
    if (key := asked.environ.get("HTTP_IDEMPOTENCY_KEY")) is not None:
        ask.idempotency_key = idempotency_key(key)
        ask.fingerprint = hashlib.sha256(asked.path.encode() + b"\n" + data).hexdigest()


def in_short(error: InvalidInput) -> str:
    """All that is wrong in one line, for protocols that have no place for more."""
    told = [f"{_place(p.pointer)}{p.detail}" for p in error.problems[:MOST_TOLD]]
    more = len(error.problems) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _place(pointer: str) -> str:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.removeprefix("#").split("/")[1:]]
    if len(parts) == 3 and parts[0] == "instances":
        return f"row {parts[1]}, {parts[2]}: "
    if len(parts) == 2 and parts[0] == "instances":
        return f"row {parts[1]}: "
    return f"{'.'.join(parts)}: " if parts else ""
