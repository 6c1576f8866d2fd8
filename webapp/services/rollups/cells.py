"""What is counted of some records, and how it is written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from webapp.db.predictions import SHADOW
from webapp.services.rollups.bins import Counts, Numbers, add, latency_bin, score_bin

MINUTE_US = 60_000_000


class Key(NamedTuple):
    """Whose records a cell counts: those of a minute, person, version and channel."""

    start_us: int
    user_id: int
    version_id: int
    channel: str


@dataclass(slots=True)
class Cell:
    """Counts of some records."""

    predictions: int = 0
    warned: int = 0
    #: Label -> [answers, those with a warning]; regressions have none.
    labels: dict[str, list[int]] = field(default_factory=dict)
    latencies: Counts = field(default_factory=dict)
    scores: Counts = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)

    def add(self, other: Cell | Kept) -> None:
        """Count what another has counted."""
        self.predictions += other.predictions
        self.warned += other.warned
        add_labels(self.labels, other.labels)
        add(self.latencies, other.latencies)
        add(self.scores, other.scores)
        self.numbers.add(other.numbers)

    def columns(self) -> dict[str, Any]:
        """As columns of a Rollup."""
        return {
            "predictions": self.predictions,
            "warned": self.warned,
            "labels": orjson.dumps(self.labels).decode(),
            "latencies": orjson.dumps(self.latencies).decode(),
            "scores": orjson.dumps(self.scores).decode(),
            "numbers": write_numbers(self.numbers),
        }


class Kept(NamedTuple):
    """A cell as it is stored, of which only that is read which is asked for."""

    predictions: int
    warned: int
    labels_json: str
    latencies_json: str
    scores_json: str
    numbers_json: str

    @property
    def labels(self) -> dict[str, list[int]]:
        """As a Cell's, and so are the others."""
        return orjson.loads(self.labels_json)  # type: ignore[no-any-return]

    @property
    def latencies(self) -> Counts:
        """Bin -> answers."""
        return orjson.loads(self.latencies_json)  # type: ignore[no-any-return]

    @property
    def scores(self) -> Counts:
        """Bin -> answers."""
        return orjson.loads(self.scores_json)  # type: ignore[no-any-return]

    @property
    def numbers(self) -> Numbers:
        """Of a regression."""
        return read_numbers(self.numbers_json)


def add_labels(labels: dict[str, list[int]], more: dict[str, list[int]]) -> None:
    """Add counts by label to such counts."""
    for label, (n, warned) in more.items():
        known = labels.get(label)
        labels[label] = [n, warned] if known is None else [known[0] + n, known[1] + warned]


def write_numbers(numbers: Numbers) -> str:
    """`[power, {bin: count}]`; empty for none."""
    if not numbers.bins:
        return ""
    return orjson.dumps([numbers.power, {str(bin): n for bin, n in numbers.bins.items()}]).decode()


def read_numbers(text: str) -> Numbers:
    """The reverse of `write_numbers`."""
    if not text:
        return Numbers()
    power, bins = orjson.loads(text)
    return Numbers(power, {int(bin): n for bin, n in bins.items()})


#: created_us, user_id, version_id, channel, label, value, score, warned, latency_us
Counted = tuple[int, int, int, str, str | None, float | None, float | None, int, int]


def gather(records: Iterable[Counted]) -> dict[Key, Cell]:
    """Count records by minute, person, version and channel; not those that nobody was answered."""
    cells: dict[Key, Cell] = {}
    for created, user, version, channel, label, value, score, warned, latency in records:
        if channel == SHADOW:
            continue
        key = Key(created - created % MINUTE_US, user, version, channel)
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = Cell()
        flagged = 1 if warned else 0
        cell.predictions += 1
        cell.warned += flagged
        bin = latency_bin(latency)
        cell.latencies[bin] = cell.latencies.get(bin, 0) + 1
        if label is not None:
            counts = cell.labels.setdefault(label, [0, 0])
            counts[0] += 1
            counts[1] += flagged
        if score is not None:
            bin = score_bin(score)
            cell.scores[bin] = cell.scores.get(bin, 0) + 1
        if value is not None:
            cell.numbers.add(Numbers.of(value))
    return cells
