"""A short lane past Flask's dispatch for the one request that comes by the thousand: one row, by a known caller.

It calls the same functions in the same order as the route `api.predict`, and answers the same bytes; tests hold the
two side by side. Whatever is not plainly such a request goes the long way, with its body put back.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson
from flask import Flask, Response, g

from webapp import auth, doors, headers, observability
from webapp.api import presenters
from webapp.errors import AppError, NotAllowed
from webapp.services import predictions
from webapp.services.people import Actor
from webapp.services.predictions import Ask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BEFORE, AFTER = "/api/v1/models/", "/predict"
ENDPOINT = "api.predict"


class Lane:
    """WSGI application in front of `app`; `tame` turns any exception into one that may be told."""

    def __init__(self, app: Flask, door: doors.Door, tame: Callable[[Exception], Exception]) -> None:
        self._app = app
        self._long_way: WSGIApplication = app.wsgi_app
        self._door = door
        self._tame = tame
        self._desk = app.extensions["desk"]
        self._limit: int = app.config["MAX_CONTENT_LENGTH"]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started_ns, clock = time.time_ns(), time.perf_counter_ns()
        caller = self._caller(environ)
        if caller is None:
            return self._long_way(environ, start_response)
        length = int(environ["CONTENT_LENGTH"])
        try:
            data = environ["wsgi.input"].read(length)
        except OSError:  # too slow, or gone: the long way says so
            data = b""
        row = _only_row(data) if len(data) == length else None
        if row is None:
            environ["wsgi.input"] = io.BytesIO(data)
            return self._long_way(environ, start_response)
        request_id = os.urandom(12).hex()
        model = environ["PATH_INFO"][len(BEFORE) : -len(AFTER)]
        with self._app.app_context():
            answer = self._answer(caller, Ask(model, [row], "api", request_id, started_ns))
        status = 200 if isinstance(answer, bytes) else answer.status_code
        observability.note("POST", ENDPOINT, status, clock, request_id, caller.id)
        if isinstance(answer, bytes):
            return headers.send(answer, request_id, environ, start_response)
        headers.complete(answer, request_id, environ)
        return answer(environ, start_response)

    def _answer(self, caller: Actor, ask: Ask) -> bytes | Response:
        try:
            if caller.role not in auth.POLICY[ENDPOINT]:
                raise NotAllowed(auth.not_for(caller.role))
            [made] = predictions.make(self._desk, caller, ask)
            return doors.json_bytes(presenters.prediction(made))
        except Exception as error:  # noqa: BLE001 - the edge of the application: every error gets its answer here
            g.request_id = ask.request_id
            return doors.problem_response(error if isinstance(error, AppError) else self._tame(error))

    def _caller(self, environ: WSGIEnvironment) -> Actor | None:
        """Who asks, if this is a request for the lane and from somebody met before."""
        path, length = environ["PATH_INFO"], environ.get("CONTENT_LENGTH", "")
        if (
            environ["REQUEST_METHOD"] != "POST"
            or not path.startswith(BEFORE)
            or not path.endswith(AFTER)
            or path.count("/") != 5
            or len(path) == len(BEFORE + AFTER)
            or environ.get("CONTENT_TYPE") != "application/json"
            or "HTTP_IDEMPOTENCY_KEY" in environ
            or environ.get("QUERY_STRING")
            or not (length.isascii() and length.isdigit() and int(length) <= self._limit)
            or not self._door.knows(environ.get("HTTP_HOST", ""))
        ):
            return None
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return auth.remembered(self._app, token) if scheme == "Bearer" else None


def _only_row(data: bytes) -> Any | None:
    """The row of a body that holds nothing else; None where there is more to say about it."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if type(body) is not dict or len(body) != 1:
        return None
    row = body.get("inputs")
    # As many colons as members: no name stands twice, and no value is an object (see doors.json_body).
    if type(row) is not dict or len(row) + 1 != data.count(b":"):
        return None
    return None if any(type(value) is list for value in row.values()) else row
