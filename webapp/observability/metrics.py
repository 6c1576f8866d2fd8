"""Counters and timings for Prometheus, summed over the processes of one server."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from webapp.doors import STATUS, UNEXPECTED
from webapp.errors import AppError
from webapp.extensions import brief_lock
from webapp.observability.logs import log
from webapp.services.desk import Desk
from webapp.services.meters import COMMIT_US, NUMBER, STAGE_US, TOGETHER, Counted, Spread

#: Seconds between two readings: so much is lost with a process that is killed.
PAUSE = 1.0
#: Labels of one model that each process tells apart, in the order of their first coming; the rest are OTHER.
MOST_LABELS, OTHER = 50, "other"
REQUEST_NS = tuple(
    int(s * 1e9) for s in (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
)
PAGE_SIZE = resource.getpagesize()

SECONDS = Histogram(
    "parecer_request_seconds",
    "Time from taking up a request to its answer, in seconds.",
    ["endpoint", "status"],
    buckets=[ns / 1e9 for ns in REQUEST_NS],
)
STAGES = Histogram(
    "parecer_prediction_stage_seconds",
    "Time of one stage of an answered prediction request, in seconds.",
    ["model", "stage"],
    buckets=[us / 1e6 for us in STAGE_US],
)
PREDICTIONS = Counter(
    "parecer_predictions",
    "Rows answered and kept, by version and class.",
    ["model", "version", "label", "channel"],
)
WARNINGS = Counter("parecer_warnings", "Warnings that answers carry.", ["model", "kind"])
REFUSED = Counter("parecer_refused", "Prediction requests refused, by type of error.", ["kind"])
REFUSED_ROWS = Counter(
    "parecer_refused_rows", "Rows refused in requests whose others were answered.", ["model"]
)
CACHE = Counter("parecer_cache_requests", "Answers looked for in memory.", ["cache", "result"])
ENTRIES = Histogram("parecer_commit_entries", "Requests kept with one commit.", ["process"], buckets=TOGETHER)
ROWS = Histogram("parecer_commit_rows", "Rows kept with one commit.", ["process"], buckets=TOGETHER)
COMMIT = Histogram(
    "parecer_commit_seconds",
    "Time of one commit with its wait for the write lock, in seconds.",
    ["process"],
    buckets=[us / 1e6 for us in COMMIT_US],
)
CPU = Counter("parecer_cpu_seconds", "Processor time used, in seconds.", ["process"])
MEMORY = Gauge("parecer_resident_bytes", "Memory in use, in bytes.", ["process"], multiprocess_mode="livesum")

_requests: dict[tuple[str, int], Spread] = {}
_lock = brief_lock()


def count_request(endpoint: str, status: int, ns: int) -> None:
    """Count an answered request and the nanoseconds it took."""
    key = (endpoint, status)
    with _lock:
        spread = _requests.get(key)
        if spread is None:
            spread = _requests[key] = Spread(REQUEST_NS)
        spread.add(ns)


class MeterReader:
    """Adds what this process has counted to what all processes show."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._process = "web"
        self._reading = threading.Lock()
        self._labels: dict[str, set[str]] = {}
        #: What counters that only rise had reached at the last reading.
        self._reached: dict[tuple[str, str], float] = {}
        self._told = False

    def follow(self, process: str) -> None:
        """Read from now on, in a thread; `process` is web or worker."""
        self._process = process
        threading.Thread(target=self._follow, daemon=True).start()

    def read(self) -> None:
        """Read once. What cannot be added is lost, and said once: no answer may depend on it."""
        with self._reading:
            try:
                self._read()
            except Exception as error:  # noqa: BLE001 - nobody waits for this
                if not self._told:
                    self._told = True
                    log.error("metrics go uncounted", error=repr(error))

    def _follow(self) -> None:
        while True:
            self.read()
            time.sleep(PAUSE)

    def _read(self) -> None:
        for (endpoint, status), spread in _taken().items():
            _pour(spread, SECONDS.labels(endpoint, str(status)), 1e9)
        self._add(self._desk.meters.take())
        caches = {"answers": self._desk.answers, "comparisons": self._desk.side_by_side}
        for name, cache in caches.items():
            self._rise(CACHE, (name, "hit"), cache.hits)
            self._rise(CACHE, (name, "miss"), cache.misses)
        self._rise(CPU, (self._process,), time.process_time())
        MEMORY.labels(self._process).set(_resident())

    def _add(self, counted: Counted) -> None:
        rows: dict[tuple[str, ...], int] = {}
        for (model, version, label, channel), n in counted.predictions.items():
            key = (model, version, self._bounded(model, label), channel)
            rows[key] = rows.get(key, 0) + n
        _raise_all(PREDICTIONS, rows)
        _raise_all(WARNINGS, counted.warnings)
        _raise_all(REFUSED, {(_word(kind),): n for kind, n in counted.refused.items()})
        _raise_all(REFUSED_ROWS, {(model,): n for model, n in counted.refused_rows.items()})
        for model, stages in counted.stages.items():
            for stage, spread in stages.items():
                _pour(spread, STAGES.labels(model, stage), 1e6)
        if any(counted.entries.counts):
            _pour(counted.entries, ENTRIES.labels(self._process))
            _pour(counted.rows, ROWS.labels(self._process))
            _pour(counted.commit_us, COMMIT.labels(self._process), 1e6)

    def _bounded(self, model: str, label: str | None) -> str:
        if label is None:
            return NUMBER
        known = self._labels.setdefault(model, set())
        if label not in known:
            if len(known) >= MOST_LABELS:
                return OTHER
            known.add(label)
        return label

    def _rise(self, counter: Counter, labels: tuple[str, ...], to: float) -> None:
        key = (counter._name, *labels)
        rise, self._reached[key] = to - self._reached.get(key, 0), to
        if rise > 0:
            counter.labels(*labels).inc(rise)


def _word(kind: type[AppError]) -> str:
    """The last part of the type URI that callers are told an error with."""
    return next((STATUS[k].slug for k in kind.__mro__ if k in STATUS), UNEXPECTED.slug)


def _taken() -> dict[tuple[str, int], Spread]:
    global _requests
    with _lock:
        taken, _requests = _requests, {}
    return taken


def _raise_all(counter: Counter, counts: Mapping[Any, int]) -> None:
    for labels, n in counts.items():
        counter.labels(*labels).inc(n)


def _pour(spread: Spread, into: Histogram, unit: float = 1) -> None:
    """Add to a histogram what has been sorted into its buckets; its own `observe` takes values one by one."""
    for bucket, n in zip(into._buckets, spread.counts, strict=True):
        if n:
            bucket.inc(n)
    into._sum.inc(spread.sum / unit)


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_SIZE
    except OSError:  # not on Linux: the most it has had
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
