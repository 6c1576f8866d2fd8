"""What the desk has been doing: counts, classes and latency over time, in a fixed number of queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import orjson
from sqlalchemy import ColumnElement, func, literal, select

from webapp.db import Event, Failure, Model
from webapp.db.base import session
from webapp.services.filters import Filters
from webapp.services.people import Actor
from webapp.services.rollups.bins import (
    SCORE_BINS,
    SCORE_EDGES,
    Counts,
    Numbers,
    add,
    percentiles,
)
from webapp.services.rollups.cells import MINUTE_US
from webapp.services.rollups.levels import OF_ALL, SECOND
from webapp.services.rollups.reading import Part, Reader

STEPS_S = (*OF_ALL, 28 * 86_400, 364 * 86_400)
MOST_BUCKETS = 200
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Figures:
    """Totals of a period. `p95_us` is None without records; `errors`, where they are not told."""

    predictions: int
    warned: int
    p95_us: int | None
    errors: int | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between neighbouring `edges` (of scores, the last edge belongs to the last bin)."""

    of: str
    edges: list[float]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Mark:
    """The moment from which a version answers where none is named."""

    at_us: int
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Overview:
    """A period in buckets that begin at `starts`, `step_us` apart; other lists have one number a bucket."""

    since_us: int
    until_us: int
    step_us: int
    starts: list[int]
    volume: list[int]
    #: Label -> counts for one model, else model -> counts; largest first. One regression has none.
    series: dict[str, list[int]]
    #: None where a bucket is empty.
    p50_us: list[int | None]
    p95_us: list[int | None]
    p99_us: list[int | None]
    #: Kind of failure -> counts, most frequent first; None for those who do not see all records, and for parts
    #: of them that failures are not counted by.
    errors: dict[str, list[int]] | None
    channels: dict[str, int]
    #: Of the answers' scores, or of the values when the one model looked at is a regression.
    histogram: Histogram
    now: Figures
    #: The period of the same length before; of one that is not over, as much of it as has passed of this.
    before: Figures
    marks: list[Mark] = field(default_factory=list)


def overview(actor: Actor, filters: Filters, *, now_us: int) -> Overview:
    """Everything `actor` may see of a filter, up to now at most, in whole minutes that its time touches.

    A time that begins some days ago is told in quarters of an hour, and of one person in hours. Without `since_us`
    it begins with the first record. Percentiles are nearest-rank on bins: within LATENCY_ERROR
    of the smallest latency that at least p % of the records do not exceed. Failed requests are counted by the
    minute and the model alone, without a person, version or channel.
    """
    reader = Reader(actor, filters)
    since, until = _times(reader, filters, now_us)
    step = max(bucket_us(until - since), reader.grain(since) * SECOND)
    first, last = since // step, (until - 1) // step
    counts = _Counts(first, step, last - first + 1, by_label=filters.model is not None)
    longest = step // SECOND
    counts.take(reader.parts(since, until, longest), reader.scope.versions)
    span = counts.width * step if until > now_us else until - since
    earlier, up_to = _floor(reader, since - span, until - span)
    before = _figures(reader.parts(earlier, up_to, longest))
    latency = [percentiles(bins, PERCENTILES) for bins in counts.latencies]
    p50, p95, p99 = ([line[i] for line in latency] for i in range(len(PERCENTILES)))
    overall: Counts = {}
    for bins in counts.latencies:
        add(overall, bins)
    seen = Overview(
        since,
        until,
        step,
        [(first + i) * step for i in range(counts.width)],
        counts.volume,
        largest_first(counts.series),
        p50,
        p95,
        p99,
        None,
        dict(counts.channels.most_common()),
        counts.histogram(),
        Figures(sum(counts.volume), counts.warned, percentiles(overall, [95])[0]),
        before,
        _marks(filters, since, until),
    )
    return _with_errors(seen, filters, earlier, up_to) if _errors_are_told(actor, filters) else seen


def bucket_us(span_us: int) -> int:
    """The smallest usual step that cuts the span into at most MOST_BUCKETS, wherever the first cut falls."""
    fits = (s for s in STEPS_S if span_us <= (MOST_BUCKETS - 1) * s * SECOND)
    return next(fits, STEPS_S[-1]) * SECOND


def largest_first(series: dict[str, list[int]]) -> dict[str, list[int]]:
    """Series by their sums."""
    return dict(sorted(series.items(), key=lambda item: (-sum(item[1]), item[0])))


def _times(reader: Reader, filters: Filters, now_us: int) -> tuple[int, int]:
    until = now_us + 1 if filters.until_us is None else min(filters.until_us, now_us + 1)
    since = filters.since_us
    if since is None:
        since = reader.first_us()
    since = until - 1 if since is None else since
    grain = reader.grain(since // MINUTE_US * MINUTE_US) * SECOND
    since = since // grain * grain
    return since, max(-(-until // grain) * grain, since + grain)


def _floor(reader: Reader, since_us: int, until_us: int) -> tuple[int, int]:
    grain = reader.grain(since_us) * SECOND
    since, until = (max(us // grain * grain, 0) for us in (since_us, until_us))
    return since, max(since, until)


@dataclass(slots=True)
class _Counts:
    first: int
    step: int
    width: int
    by_label: bool
    volume: list[int] = field(init=False)
    latencies: list[Counts] = field(init=False)
    series: defaultdict[str, list[int]] = field(init=False)
    channels: Counter[str] = field(default_factory=Counter)
    warned: int = 0
    scores: Counts = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)

    def __post_init__(self) -> None:
        self.volume = [0] * self.width
        self.latencies = [{} for _ in range(self.width)]
        self.series = defaultdict(lambda: [0] * self.width)

    def take(self, parts: Iterable[Part], versions: dict[int, tuple[str, int]]) -> None:
        for start, version, channel, cell in parts:
            at = start // self.step - self.first
            self.volume[at] += cell.predictions
            self.channels[channel] += cell.predictions
            self.warned += cell.warned
            add(self.latencies[at], cell.latencies)
            add(self.scores, cell.scores)
            if self.by_label:
                self.numbers.add(cell.numbers)
                for label, (n, _) in cell.labels.items():
                    self.series[label][at] += n
            else:
                self.series[versions[version][0]][at] += cell.predictions

    def histogram(self) -> Histogram:
        if self.numbers.bins:
            return Histogram("value", *self.numbers.spread(SCORE_BINS))
        counts = [self.scores.get(str(i), 0) for i in range(SCORE_BINS)]
        return Histogram("score", list(SCORE_EDGES), counts)


def _figures(parts: Iterable[Part]) -> Figures:
    predictions = warned = 0
    latencies: Counts = {}
    for part in parts:
        predictions += part.cell.predictions
        warned += part.cell.warned
        add(latencies, part.cell.latencies)
    return Figures(predictions, warned, percentiles(latencies, [95])[0])


def _marks(filters: Filters, since_us: int, until_us: int) -> list[Mark]:
    """Publishes of versions that answered from then on."""
    rows = session().execute(
        select(Event.at_us, Event.facts)
        .where(Event.kind == "publish", Event.at_us >= since_us, Event.at_us < until_us)
        .order_by(Event.at_us)
    )
    found = []
    for at, text in rows:
        facts = orjson.loads(text) if text else {}
        if facts.get("live") and filters.model in (None, facts.get("model")):
            found.append(Mark(at, facts["model"], str(facts["version"])))
    return found


def _errors_are_told(actor: Actor, filters: Filters) -> bool:
    return actor.sees_all and filters.version is None and filters.channel is None and filters.user is None


def _with_errors(seen: Overview, filters: Filters, earlier_us: int, up_to_us: int) -> Overview:
    first, width = seen.since_us // seen.step_us, len(seen.starts)
    errors = _errors(_failed(filters.model, seen.since_us, seen.until_us), seen.step_us, first, width)
    before = _sum_of(_failed(filters.model, earlier_us, up_to_us))
    return replace(
        seen,
        errors=errors,
        now=replace(seen.now, errors=sum(map(sum, errors.values()))),
        before=replace(seen.before, errors=before),
    )


def _failed(model: str | None, since_us: int, until_us: int) -> list[ColumnElement[bool]]:
    conditions = [Failure.minute_us >= since_us, Failure.minute_us < until_us]
    if model is not None:
        conditions.append(Failure.model_id == select(Model.id).where(Model.name == model).scalar_subquery())
    return conditions


def _errors(conditions: list[ColumnElement[bool]], step: int, first: int, width: int) -> dict[str, list[int]]:
    # Written into the statement: PostgreSQL takes two placeholders of one value for different groupings.
    bucket = (Failure.minute_us // literal(step, literal_execute=True)).label("bucket")
    rows = session().execute(
        select(bucket, Failure.kind, func.sum(Failure.count))
        .where(*conditions)
        .group_by(bucket, Failure.kind)
    )
    kinds: defaultdict[str, list[int]] = defaultdict(lambda: [0] * width)
    for at, kind, failed in rows:
        kinds[kind][at - first] += int(failed)
    return largest_first(kinds)


def _sum_of(conditions: list[ColumnElement[bool]]) -> int:
    return int(session().scalar(select(func.sum(Failure.count)).where(*conditions)) or 0)
