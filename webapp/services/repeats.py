"""Answers that a challenger is to give again, on their way to who does that."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from webapp.services.assigning import among
from webapp.services.people import Actor
from webapp.services.resolving import Running

#: That wait, at most; beyond it they are left out, and the comparison says how many are missing.
MOST = 5_000
#: Handed on at once.
PART = 100
#: Seconds after an answer until it is repeated, so that several are kept with one sync.
PAUSE = 0.05


class Repeat(NamedTuple):
    """One answer that a challenger is to give again."""

    actor: Actor
    running: Running
    #: The record that was shown.
    record: str
    received: Any
    subject: str | None


class Repeats:
    """What this process still has to repeat: lost with the process, and never waited for."""

    def __init__(self, later: Callable[[float, Callable[[], None]], None]) -> None:
        self._later = later
        self._waiting: deque[Repeat] = deque()
        self._lock = Lock()
        self._working = False
        #: Repeats a part; whoever can sets this.
        self.work: Callable[[list[Repeat]], None] = lambda _part: None

    def put(self, repeats: list[Repeat]) -> None:
        """Repeat these soon, as far as they are among the share and there is room for them."""
        wanted = [r for r in repeats if among(r.running.salt, r.record.encode(), r.running.limit)]
        with self._lock:
            self._waiting.extend(wanted[: max(0, MOST - len(self._waiting))])
            begins = bool(self._waiting) and not self._working
            self._working = self._working or begins
        if begins:
            self._later(PAUSE, self.drain)

    def drain(self) -> None:
        """Repeat all that waits, a part at a time."""
        try:
            while part := self._next():
                self.work(part)
        finally:
            with self._lock:
                self._working = False

    def _next(self) -> list[Repeat]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(PART, len(self._waiting)))]
