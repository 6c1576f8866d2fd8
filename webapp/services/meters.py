"""What one process has counted of predictions and commits since it was last asked.

Plain dicts of numbers: a count that other processes can see costs some 4 µs, and there are several for each
prediction. Whoever publishes them takes them away every second or so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

from webapp.errors import AppError

#: Upper edges of buckets: of microseconds, of entries and rows in a commit.
STAGE_US = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_500_000)
COMMIT_US = (250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000)
TOGETHER = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096, 16_384)
#: In the place of a class, for a model that answers with numbers.
NUMBER = "value"


class Asked(Protocol):
    """What is counted of a request: see `services.predictions.Ask`."""

    model: str
    channel: str
    stages: dict[str, int]
    replayed: bool


class Spread:
    """How values fall between upper `bounds`, which ascend; the last of `counts` is of what lies beyond them."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum: float = 0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(slots=True)
class Counted:
    """Counts of one process over a while."""

    #: (model, version, label, channel) → rows answered; the label is None where the model answers with numbers.
    predictions: dict[tuple[str, str, str | None, str], int] = field(default_factory=dict)
    #: model → stage → microseconds of each request.
    stages: dict[str, dict[str, Spread]] = field(default_factory=dict)
    #: (model, kind) → warnings.
    warnings: dict[tuple[str, str], int] = field(default_factory=dict)
    #: Requests refused; and model → rows refused in requests whose others were answered.
    refused: dict[type[AppError], int] = field(default_factory=dict)
    refused_rows: dict[str, int] = field(default_factory=dict)
    #: Of each group commit: entries, rows, microseconds.
    entries: Spread = field(default_factory=lambda: Spread(TOGETHER))
    rows: Spread = field(default_factory=lambda: Spread(TOGETHER))
    commit_us: Spread = field(default_factory=lambda: Spread(COMMIT_US))


class Meters:
    """Counts until they are taken; `lock` is held for a few lines that never wait."""

    def __init__(self, lock: AbstractContextManager[Any] | None = None) -> None:
        self._lock = lock or Lock()
        self._now = Counted()

    def predicted(self, ask: Asked, made: Sequence[Any]) -> None:
        """Count the rows of an answered request (Made or Refused), and its stages.

        Answers given again, to an idempotency key used before, have been counted.
        """
        if ask.replayed:
            return
        with self._lock:
            now = self._now
            predictions = now.predictions
            for one in made:
                if hasattr(one, "problems"):
                    now.refused_rows[ask.model] = now.refused_rows.get(ask.model, 0) + 1
                    continue
                key = (one.model, one.version, one.label, ask.channel)
                predictions[key] = predictions.get(key, 0) + 1
                if one.warnings:
                    for warning in one.warnings:
                        kind = (one.model, warning["kind"])
                        now.warnings[kind] = now.warnings.get(kind, 0) + 1
            spreads = now.stages.get(ask.model)
            if spreads is None:
                spreads = now.stages[ask.model] = {}
            for stage, us in ask.stages.items():
                spread = spreads.get(stage)
                if spread is None:
                    spread = spreads[stage] = Spread(STAGE_US)
                # As Spread.add, without the call.
                spread.counts[bisect_left(STAGE_US, us)] += 1
                spread.sum += us

    def refused(self, error: AppError) -> None:
        """Count a request that ended in `error`."""
        with self._lock:
            refused, kind = self._now.refused, type(error)
            refused[kind] = refused.get(kind, 0) + 1

    def committed(self, entries: int, rows: int, us: int) -> None:
        """Count a group commit of so many entries and rows, and the microseconds it took."""
        with self._lock:
            now = self._now
            now.entries.add(entries)
            now.rows.add(rows)
            now.commit_us.add(us)

    def take(self) -> Counted:
        """What has been counted since the last time."""
        with self._lock:
            taken, self._now = self._now, Counted()
        return taken
