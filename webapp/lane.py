"""A short lane past Flask's dispatch for the one request that comes by the thousand: one row, by a known caller.

It calls the same functions in the same order as the routes whose shortcuts it is given, and answers the same bytes;
tests hold the two side by side. Whatever is not plainly such a request goes the long way, with its body put back.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask, Response, g

from webapp import auth, doors, headers, observability
from webapp.errors import AppError, NotAllowed
from webapp.services import predictions
from webapp.services.people import Actor
from webapp.services.predictions import Ask, Made, Refused
from webapp.services.quota import network

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Shortcut(NamedTuple):
    """What the lane has to know of a route to stand in for it."""

    endpoint: str
    #: Path before and after the model's name.
    before: str
    after: str
    #: Values of Content-Type that it reads; "" where a request may go without.
    kinds: frozenset[str]
    #: Headers, as WSGI names them, that ask for more than the lane can give.
    unusual: frozenset[str]
    #: A model's name, a body and its environ, with the request's id and the time it was taken up (ns since the epoch),
    #: to what is asked; None where the request is not the usual one.
    read: Callable[[str, bytes, WSGIEnvironment, str, int], Ask | None]
    #: The answers as bytes of JSON, or as a whole answer where they are something else.
    write: Callable[[Ask, Sequence[Made | Refused]], bytes | Response]
    #: An error as the face tells it.
    refuse: Callable[[Exception], Response]


class Lane:
    """WSGI application in front of `app`; `tame` turns any exception into one that may be told."""

    def __init__(
        self,
        app: Flask,
        door: doors.Door,
        tame: Callable[[Exception], Exception],
        shortcuts: Iterable[Shortcut],
    ) -> None:
        self._app = app
        self._long_way: WSGIApplication = app.wsgi_app
        self._door = door
        self._tame = tame
        self._desk = app.extensions["desk"]
        self._limit: int = app.config["MAX_CONTENT_LENGTH"]
        self._shortcuts = list(shortcuts)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started_ns, clock = time.time_ns(), time.perf_counter_ns()
        shortcut = self._shortcut(environ)
        caller = None if shortcut is None else self._caller(environ)
        if shortcut is None or caller is None:
            return self._long_way(environ, start_response)
        length = int(environ["CONTENT_LENGTH"])
        try:
            data = environ["wsgi.input"].read(length)
        except OSError:  # too slow, or gone: the long way says so
            data = b""
        request_id = os.urandom(12).hex()
        model = environ["PATH_INFO"][len(shortcut.before) : -len(shortcut.after)]
        ask = shortcut.read(model, data, environ, request_id, started_ns) if len(data) == length else None
        if ask is None:
            environ["wsgi.input"] = io.BytesIO(data)
            return self._long_way(environ, start_response)
        ask.correlation = doors.correlation(environ) or ask.correlation
        with self._app.app_context():
            answer = self._answer(shortcut, caller, ask, environ["REMOTE_ADDR"])
        status = 200 if isinstance(answer, bytes) else answer.status_code
        observability.note(
            "POST",
            shortcut.endpoint,
            status,
            clock,
            request_id,
            caller.id,
            ask.correlation,
            ask.stages,
            environ,
        )
        told = doors.about(self._desk, ask)
        if isinstance(answer, bytes):
            return headers.send(answer, request_id, told, environ, start_response)
        answer.headers.extend(told)
        headers.complete(answer, request_id, environ)
        return answer(environ, start_response)

    def _answer(self, shortcut: Shortcut, caller: Actor, ask: Ask, address: str) -> bytes | Response:
        try:
            self._desk.addresses.spend(network(address))
            if caller.role not in auth.POLICY[shortcut.endpoint]:
                raise NotAllowed(auth.not_for(caller.role))
            return shortcut.write(ask, predictions.make(self._desk, caller, ask))
        except Exception as error:  # noqa: BLE001 - the edge of the application: every error gets its answer here
            g.request_id = ask.request_id
            return shortcut.refuse(error if isinstance(error, AppError) else self._tame(error))

    def _shortcut(self, environ: WSGIEnvironment) -> Shortcut | None:
        """That of the route which this request is for, if it says nothing out of the usual."""
        length = environ.get("CONTENT_LENGTH", "")
        if (
            environ["REQUEST_METHOD"] != "POST"
            or "HTTP_IDEMPOTENCY_KEY" in environ
            or "HTTP_CONTENT_ENCODING" in environ
            or environ.get("QUERY_STRING")
            or not (length.isascii() and length.isdigit() and int(length) <= self._limit)
            or not self._door.knows(environ.get("HTTP_HOST", ""))
        ):
            return None
        path = environ["PATH_INFO"]
        for shortcut in self._shortcuts:
            before, after = shortcut.before, shortcut.after
            if path.startswith(before) and path.endswith(after):
                end = len(path) - len(after)
                usual = (
                    len(before) < end
                    and path.find("/", len(before), end) < 0
                    and environ.get("CONTENT_TYPE", "") in shortcut.kinds
                    and shortcut.unusual.isdisjoint(environ)
                )
                return shortcut if usual else None
        return None

    def _caller(self, environ: WSGIEnvironment) -> Actor | None:
        """Who asks, if it is somebody met before."""
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return auth.remembered(self._app, token) if scheme == "Bearer" else None
