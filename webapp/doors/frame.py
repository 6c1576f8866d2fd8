"""The frame of a request: its id, its time, and the desk that serves it."""

from __future__ import annotations

import os
import time
from typing import Any, cast

from flask import Request, current_app, g, request
from werkzeug.exceptions import BadRequest
from werkzeug.sansio.utils import host_is_trusted

from webapp.doors.correlation import correlation
from webapp.services.desk import Desk

#: Of a body that anybody may send.
MOST_FROM_ANYBODY = 64 * 1024
REMEMBERED_HOSTS = 100


def desk() -> Desk:
    """The desk of this process."""
    return cast(Desk, current_app.extensions["desk"])


def here() -> tuple[Request, Any]:
    """The request of now and its `g`, themselves: every look through Flask's proxies costs ten at a plain object."""
    return cast(Any, request)._get_current_object(), cast(Any, g)._get_current_object()


class Door:
    """Where every request comes in: it gets its id and time, and must name this server as its host."""

    def __init__(self, hosts: list[str]) -> None:
        self._hosts = hosts
        self._good: set[str] = set()

    def open(self) -> None:
        """Open the frame of a request; raises BadRequest when a page elsewhere points a name of its own at us."""
        asked, frame = here()
        frame.started_ns = time.time_ns()
        frame.clock = time.perf_counter_ns()
        frame.request_id = os.urandom(12).hex()
        frame.correlation = correlation(asked.environ)
        if not self.knows(asked.environ.get("HTTP_HOST", "")):
            raise BadRequest

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server."""
        if host in self._good:
            return True
        if not host_is_trusted(host, self._hosts):
            return False
        if len(self._good) < REMEMBERED_HOSTS:
            self._good.add(host)
        return True
