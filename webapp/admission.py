"""Admission control: under more load than it can bear, a worker serves callers in turn and refuses the rest at once.

A worker is under pressure where a request is read long after the loop has seen it, or where all native threads are
busy. Only then is there a line for each caller. See docs/adr/0018-admission-control.md.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

import gevent
from flask import Flask, g
from gevent.event import Event

from webapp import auth, doors, headers, observability, wire
from webapp.errors import Overloaded
from webapp.worker import Unreader

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Where probes ask: they must tell how it is under pressure, too. Pages are asked for by people, one by one.
PROBES = ("/v2/health/", "/ping", "/health", "/version")
#: The end of addresses of MLflow, some of them among those of the pages.
INVOCATIONS = "/invocations"
#: Seconds that a request may have lain in the loop without there being pressure.
PROMPT = 0.02
#: Seconds of work that may be under way together, and at how few and many requests that begins to count.
AHEAD, FEWEST, MOST = 0.03, 2, 256
#: Turns of the loop after which a group commit takes no more in; seconds between looks whether there is room again.
TURNS, LOOK = 3, 0.002
#: A line that has been there for so many seconds is no burst. A burst may wait so many times as long.
STANDING, PATIENCE = 1.0, 2
#: Seconds waited in line after which an answer is no longer waited for.
LATE = 4.0
ENDPOINT = "overloaded"
#: Stands for the request's id in an answer that was written beforehand.
UNKNOWN = b"-" * 24


class Admission:
    """WSGI application in front of `app` in a worker: who would wait for longer than `seconds` is refused with 503."""

    def __init__(self, app: Flask, seconds: float) -> None:
        #: Those of the application, which the hooks of gunicorn.conf.py look for.
        self.extensions = app.extensions
        self._app = app
        self._behind: WSGIApplication = app
        self._seconds = seconds
        self._faces = ("/api/", *wire.PREFIXES)
        self._refusals = {face: _refusal(app, face) for face in self._faces}
        self._now = gevent.get_hub().loop.now
        self._lines: dict[Hashable, deque[Event]] = {}
        #: When there were no lines last; None while there are none.
        self._standing_since: float | None = None
        self._inside, self._finished, self._room = 0, 0, 4 * FEWEST
        #: Under pressure, lately: seconds, and how many requests were finished.
        self._spent, self._done = 0.0, 0.0
        #: From one finished request to the next.
        self._spacing = 0.0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        pressed = (
            self._lines or self._inside - Unreader.awaited >= self._room or time.time() - self._now() > PROMPT
        )
        face = self._face(environ["PATH_INFO"]) if pressed else None
        if face is not None:
            if not self._wait(environ):
                return self._refuse(face, environ, start_response)
        else:
            self._inside += 1
        try:
            return self._behind(environ, start_response)
        finally:
            self._inside -= 1
            self._finished += 1

    def _face(self, path: str) -> str | None:
        """Under which prefix a program asks; None for who does not take turns."""
        if path.endswith(INVOCATIONS):
            return INVOCATIONS
        if path.startswith(PROBES):
            return None
        return next((face for face in self._faces if path.startswith(face)), None)

    def _wait(self, environ: WSGIEnvironment) -> bool:
        """Wait for this request's turn, and go inside; False where that would take too long."""
        came = time.monotonic()
        caller = self._caller(environ)
        line = self._lines.get(caller, ())
        lines = len(self._lines) + (not line)
        ahead = (len(line) + 1) * lines * self._spacing
        if ahead > self._limit(came):
            return False
        if self._standing_since is None:
            self._standing_since = came
            gevent.spawn(self._serve)
        turn = Event()
        self._lines.setdefault(caller, deque()).append(turn)
        turn.wait()
        if time.monotonic() - came < LATE:
            return True
        self._inside -= 1
        return False

    def _limit(self, now: float) -> float:
        burst = self._standing_since is None or now - self._standing_since < STANDING
        return self._seconds * (PATIENCE if burst else 1)

    def _caller(self, environ: WSGIEnvironment) -> Hashable:
        """The account, if its token is known here, or else the address: nobody gets more turns by inventing tokens."""
        _, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        known = auth.remembered(self._app, token) if token else None
        return known.id if known else environ["REMOTE_ADDR"]

    def _serve(self) -> None:
        """Let in one of each caller in turn, as long as there is room, until nobody waits."""
        while self._lines:
            begun, finished = time.monotonic(), self._finished
            while self._lines and self._inside - Unreader.awaited < self._room:
                self._inside += 1
                self._next().set()
            for _ in range(TURNS):
                gevent.sleep(0)
            if self._inside - Unreader.awaited >= self._room:
                gevent.sleep(LOOK)
            self._spent += time.monotonic() - begun
            self._done += self._finished - finished
            if self._done:
                self._spacing = self._spent / self._done
                self._room = max(FEWEST, min(MOST, int(AHEAD / self._spacing)))
            if self._spent > STANDING:
                self._spent, self._done = self._spent / 2, self._done / 2
        self._standing_since = None

    def _next(self) -> Event:
        caller = next(iter(self._lines))
        line = self._lines.pop(caller)
        turn = line.popleft()
        if line:
            self._lines[caller] = line
        return turn

    def _refuse(self, face: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        clock, request_id = time.perf_counter_ns(), os.urandom(12).hex()
        kind, body = self._refusals[face]
        observability.note(environ["REQUEST_METHOD"], ENDPOINT, 503, clock, request_id, None)
        own = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            # Not after the same time for all, or all would come back at once.
            ("Retry-After", str(1 + int(request_id[0], 16) % 3)),
        ]
        start_response(
            "503 SERVICE UNAVAILABLE",
            [*own, *headers.DATA, *headers.PRIVATE, *headers.own(request_id, environ)],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body.replace(UNKNOWN, request_id.encode())]


def _refusal(app: Flask, face: str) -> tuple[str, bytes]:
    """Content type and body of a refusal: under load there are many, so it is written once."""
    with app.app_context():
        g.request_id = UNKNOWN.decode()
        answer = (wire.refusal(face) or doors.problem_response)(Overloaded())
        return answer.headers["Content-Type"], answer.get_data()
