"""A server that answers as it is told to, for what a real one does only on bad days."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """One answer; status 0 breaks the connection after the request was read."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 — read only


class Got(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def scripted(*replies: Reply) -> Iterator[tuple[str, list[Got]]]:
    """Its address, and the requests so far; when the replies are used up, the last goes on."""
    left, got = list(replies), []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            got.append(Got(self.command, self.path, dict(self.headers), body))
            reply = left.pop(0) if len(left) > 1 else left[0]
            self.close_connection = True
            if not reply.status:
                return
            data = json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(data)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
