"""Counting predict requests that failed, without a write for each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from sqlalchemy import select

from webapp.db import Failure, Model
from webapp.db.base import session, transaction
from webapp.errors import AppError
from webapp.services.clock import now_us

MINUTE = 60_000_000


class Tally:
    """Failures of this process not yet stored; stored together at most every `pause` seconds.

    `later(seconds, work)` runs `work` after a while, inside an application context. A process that is killed
    loses the count of the last pause, never a record.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], object], pause: float = 2.0) -> None:
        self._later = later
        self._pause = pause
        self._lock = threading.Lock()
        self._counts: Counter[tuple[int, str, str]] = Counter()

    def note(self, model: str, error: AppError) -> None:
        """Count one request to `model` that ended in `error`."""
        with self._lock:
            first = not self._counts
            self._counts[now_us() // MINUTE * MINUTE, model, type(error).__name__] += 1
        if first:
            self._later(self._pause, self.store)

    def store(self) -> None:
        """Write down what has been counted."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        ids = dict(session().execute(select(Model.name, Model.id)).all())
        with transaction() as s:
            for (minute, model, kind), count in counts.items():
                s.add(Failure(minute_us=minute, model_id=ids.get(model), kind=kind, count=count))
