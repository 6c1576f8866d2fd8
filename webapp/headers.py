"""Headers on every answer: what a browser may do with it, and who may keep it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from flask import Response, g, request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The hash is that of the empty style element Plotly inserts; its inline style attributes cannot carry a nonce.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "style-src 'self'; style-src-elem 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
    "style-src-attr 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
COMMON = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin")]
PRIVATE = [("Cache-Control", "private, no-store"), ("Vary", "Cookie, Authorization")]
SECURE = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
PAGE = [*COMMON, ("Content-Security-Policy", PAGE_POLICY), ("Cross-Origin-Opener-Policy", "same-origin")]
DATA = [*COMMON, ("Content-Security-Policy", DATA_POLICY)]
JSON = [("Content-Type", "application/json"), *DATA, *PRIVATE]


class Data(Response):
    """A private JSON answer; its usual headers are known beforehand and skip what Werkzeug checks of each."""

    default_mimetype = None

    def __init__(self, body: bytes, status: int = 200) -> None:
        super().__init__(status=status)
        self.response = [body]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = cast(list[bytes], self.response)
        start_response(self.status, [*JSON, ("Content-Length", str(sum(map(len, body)))), *self.headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else body


def send(
    body: bytes,
    request_id: str,
    more: Iterable[tuple[str, str]],
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterable[bytes]:
    """A private JSON answer with status 200, completed and on its way without a Response in between."""
    start_response("200 OK", [*JSON, ("Content-Length", str(len(body))), *more, *own(request_id, environ)])
    return [body]


def add(response: Response) -> Response:
    """Complete an answer's headers; registered as after_request."""
    complete(response, g.get("request_id", ""), request.environ)
    return response


def complete(response: Response, request_id: str, environ: WSGIEnvironment) -> None:
    """Add what every answer carries."""
    headers = response.headers
    headers.extend(own(request_id, environ))
    if type(response) is not Data:
        headers.extend(PAGE if response.mimetype == "text/html" else DATA)
        if not headers.get("Cache-Control", "").startswith("public"):
            for name, value in PRIVATE:
                headers.setdefault(name, value)


def own(request_id: str, environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """What depends on the request."""
    own = [("X-Request-Id", request_id)]
    return [*own, SECURE] if environ["wsgi.url_scheme"] == "https" else own
