"""As much of an HTTP client as the harness needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

TIMEOUT_S = 60.0
QUOTED = 300


def post(url: str, body: object, headers: Mapping[str, str] | None = None) -> Any:
    """Post JSON and read JSON; any status but 2xx, or no answer, is an OSError."""
    return json.loads(
        send(Request(url, encode(body), {"Content-Type": "application/json", **(headers or {})}))
    )


def get(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """The JSON at an address; OSError unless it is answered with success."""
    return json.loads(send(Request(url, headers=dict(headers or {}))))


def send(request: Request) -> bytes:
    """The body of a 2xx answer; anything else is an OSError that quotes the server."""
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        raise OSError(f"status {error.code}: {error.read(QUOTED).decode(errors='replace')}") from error


def encode(body: object) -> bytes:
    """One line of JSON."""
    return json.dumps(body, separators=(",", ":")).encode()
