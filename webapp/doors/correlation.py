"""The caller's own ids of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: W3C Trace Context, level 1: version, trace id, parent id, flags; later versions may say more after a dash.
TRACEPARENT = re.compile(
    r"(?:00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"|(?!00|ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)"
)


def client_request_id(text: str | None) -> dict[str, str] | None:
    """A text as the caller's own id of a request, if it can be one."""
    return {"client_request_id": text} if text and REQUEST_ID.fullmatch(text) else None


def correlation(environ: Mapping[str, Any]) -> dict[str, str] | None:
    """The caller's own ids of a request (`client_request_id`, `trace_id`), as far as they can be believed to be ids."""
    named, traced = environ.get("HTTP_X_REQUEST_ID"), environ.get("HTTP_TRACEPARENT")
    if named is None and traced is None:
        return None
    found = client_request_id(named) or {}
    if traced is not None and (match := TRACEPARENT.fullmatch(traced)):
        found["trace_id"] = match[1] or match[2]
    return found or None
