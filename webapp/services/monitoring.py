"""What the desk has been doing: counts, classes and latency over time, in a fixed number of queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, floor, log10
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from webapp.db import Failure, Model, Prediction
from webapp.db.base import session
from webapp.services.filters import Filters, matching
from webapp.services.people import Actor

SECOND = 1_000_000
STEPS_S = (60, 300, 900, 3600, 4 * 3600, 86_400, 7 * 86_400, 28 * 86_400, 364 * 86_400)
MOST_BUCKETS = 200
BINS = 20
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Figures:
    """Totals of a period. `p95_us` is None without records; `errors`, for those who do not see all records."""

    predictions: int
    warned: int
    p95_us: int | None
    errors: int | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between neighbouring `edges` (the last edge belongs to the last bin) of a score or a value."""

    of: str
    edges: list[float]
    counts: list[int]


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
    #: Kind of failure -> counts, most frequent first; None for those who do not see all records.
    errors: dict[str, list[int]] | None
    channels: dict[str, int]
    #: Of the answers' scores, or of the values when the one model looked at is a regression.
    histogram: Histogram
    now: Figures
    #: The period of the same length just before.
    before: Figures


def overview(
    actor: Actor, *, model: str | None = None, since_us: int, until_us: int, now_us: int
) -> Overview:
    """Everything `actor` may see from `since_us` up to `until_us` (or now, if that is earlier), not included.

    Percentiles are nearest-rank: the smallest latency that at least p % of the records do not exceed. Failed
    requests are counted by the minute, without a person; a minute belongs to the period in which it begins.
    """
    until_us = max(min(until_us, now_us), since_us + 1)
    step = bucket_us(until_us - since_us)
    first, last = since_us // step, (until_us - 1) // step
    width = last - first + 1
    mine = matching(actor, Filters(model=model, since_us=since_us, until_us=until_us))
    before_us = 2 * since_us - until_us
    earlier = matching(actor, Filters(model=model, since_us=before_us, until_us=since_us))
    counts = _counts(mine, step, first, width, by=Prediction.label if model else Model.name)
    p50, p95, p99 = _latency(mine, step, first, width)
    predictions, warned = sum(counts.volume), counts.warned
    errors = failed = failed_before = None
    if actor.sees_all:
        errors = _errors(_failed(model, since_us, until_us), step, first, width)
        failed = sum(map(sum, errors.values()))
        failed_before = _sum_of(_failed(model, before_us, since_us))
    return Overview(
        since_us,
        until_us,
        step,
        [(first + i) * step for i in range(width)],
        counts.volume,
        counts.series,
        p50,
        p95,
        p99,
        errors,
        dict(counts.channels.most_common()),
        _histogram(mine, counts, of_value=model is not None),
        Figures(predictions, warned, _p95(mine, predictions), failed),
        _figures(earlier, failed_before),
    )


def bucket_us(span_us: int) -> int:
    """The smallest usual step that cuts the span into at most MOST_BUCKETS, wherever the first cut falls."""
    fits = (s for s in STEPS_S if span_us <= (MOST_BUCKETS - 1) * s * SECOND)
    return next(fits, STEPS_S[-1]) * SECOND


@dataclass(slots=True)
class _Counts:
    volume: list[int]
    series: dict[str, list[int]] = field(default_factory=dict)
    channels: Counter[str] = field(default_factory=Counter)
    warned: int = 0
    low: float | None = None
    high: float | None = None


def _bucket(time: InstrumentedAttribute[int], step: int) -> ColumnElement[int]:
    # Written into the statement: PostgreSQL takes two placeholders of one value for different groupings.
    return (time // literal(step, literal_execute=True)).label("bucket")


def _counts(
    conditions: list[ColumnElement[bool]],
    step: int,
    first: int,
    width: int,
    by: InstrumentedAttribute[Any],
) -> _Counts:
    bucket = _bucket(Prediction.created_us, step)
    rows = session().execute(
        select(
            bucket,
            by,
            Prediction.channel,
            func.count(),
            func.sum(case((Prediction.warned > 0, 1), else_=0)),
            func.min(Prediction.value),
            func.max(Prediction.value),
        )
        .select_from(Prediction)
        .outerjoin(Prediction.model)
        .where(*conditions)
        .group_by(bucket, by, Prediction.channel)
    )
    found = _Counts([0] * width)
    series: defaultdict[str, list[int]] = defaultdict(lambda: [0] * width)
    for at, name, channel, records, warned, low, high in rows:
        found.volume[at - first] += records
        found.channels[channel] += records
        found.warned += int(warned)
        if name is not None:
            series[name][at - first] += records
        if low is not None:
            found.low = low if found.low is None else min(found.low, low)
            found.high = high if found.high is None else max(found.high, high)
    found.series = _largest_first(series)
    return found


def _latency(
    conditions: list[ColumnElement[bool]], step: int, first: int, width: int
) -> list[list[int | None]]:
    bucket = _bucket(Prediction.created_us, step)
    ranked = (
        select(
            bucket,
            Prediction.latency_us.label("latency"),
            func.row_number().over(partition_by=bucket, order_by=Prediction.latency_us).label("rank"),
            func.count().over(partition_by=bucket).label("n"),
        )
        .where(*conditions)
        .subquery()
    )
    at_rank = (
        func.max(case((ranked.c.rank == (ranked.c.n * p + 99) // 100, ranked.c.latency))) for p in PERCENTILES
    )
    lines: list[list[int | None]] = [[None] * width for _ in PERCENTILES]
    for at, *values in session().execute(select(ranked.c.bucket, *at_rank).group_by(ranked.c.bucket)):
        for line, value in zip(lines, values, strict=True):
            line[at - first] = value
    return lines


def _failed(model: str | None, since_us: int, until_us: int) -> list[ColumnElement[bool]]:
    conditions = [Failure.minute_us >= since_us, Failure.minute_us < until_us]
    if model is not None:
        conditions.append(Failure.model_id == select(Model.id).where(Model.name == model).scalar_subquery())
    return conditions


def _errors(conditions: list[ColumnElement[bool]], step: int, first: int, width: int) -> dict[str, list[int]]:
    bucket = _bucket(Failure.minute_us, step)
    rows = session().execute(
        select(bucket, Failure.kind, func.sum(Failure.count))
        .where(*conditions)
        .group_by(bucket, Failure.kind)
    )
    kinds: defaultdict[str, list[int]] = defaultdict(lambda: [0] * width)
    for at, kind, failed in rows:
        kinds[kind][at - first] += int(failed)
    return _largest_first(kinds)


def _sum_of(conditions: list[ColumnElement[bool]]) -> int:
    return int(session().scalar(select(func.sum(Failure.count)).where(*conditions)) or 0)


def _largest_first(series: dict[str, list[int]]) -> dict[str, list[int]]:
    return dict(sorted(series.items(), key=lambda item: (-sum(item[1]), item[0])))


def _figures(conditions: list[ColumnElement[bool]], errors: int | None) -> Figures:
    warned = func.sum(case((Prediction.warned > 0, 1), else_=0))
    n, flagged = session().execute(select(func.count(), warned).where(*conditions)).one()
    return Figures(n, int(flagged or 0), _p95(conditions, n), errors)


def _p95(conditions: list[ColumnElement[bool]], n: int) -> int | None:
    skipped = max((n * 95 + 99) // 100 - 1, 0)
    ordered = select(Prediction.latency_us).where(*conditions).order_by(Prediction.latency_us)
    return session().scalar(ordered.offset(skipped).limit(1))


def _histogram(conditions: list[ColumnElement[bool]], counts: _Counts, *, of_value: bool) -> Histogram:
    column: InstrumentedAttribute[Any]
    if of_value and counts.low is not None and counts.high is not None:
        name, column, edges = "value", Prediction.value, round_edges(counts.low, counts.high)
    else:
        name, column, edges = "score", Prediction.score, [i / BINS for i in range(BINS + 1)]
    inside = [and_(column >= low, column < high) for low, high in pairwise(edges)]
    inside[-1] = and_(column >= edges[-2], column <= edges[-1])
    sums = (func.sum(case((condition, 1), else_=0)) for condition in inside)
    row = session().execute(select(*sums).where(*conditions)).one()
    return Histogram(name, edges, [int(n or 0) for n in row])


def round_edges(low: float, high: float) -> list[float]:
    """About BINS edges at multiples of 1, 2 or 5 times a power of ten that span low..high."""
    raw = ((high - low) or abs(high) or 1.0) / BINS
    power = 10.0 ** floor(log10(raw))
    width = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first, last = floor(low / width), ceil(high / width)
    return [float(f"{i * width:.12g}") for i in range(first, max(last, first + 1) + 1)]
