from __future__ import annotations

from math import ceil
from random import Random
from typing import Any, NamedTuple

import pytest
from sqlalchemy import update

from tests.records import NOON, SECOND, Ledger, queries
from webapp.db import Event, Failure
from webapp.db.base import session
from webapp.services import audit, monitoring, rollups
from webapp.services.filters import Filters
from webapp.services.history import Record, export
from webapp.services.monitoring import Overview, bucket_us, overview
from webapp.services.rollups.bins import LATENCY_ERROR, latency_bin, latency_of

MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR
WARNING = {"feature": "petal_length", "kind": "missing", "detail": "-"}


def look(ledger: Ledger, who: str = "carol", **wanted: Any) -> Overview:
    now = wanted.pop("now_us", NOON + 2 * DAY)
    asked = {"since_us": NOON - DAY, "until_us": NOON + DAY, **wanted}
    return overview(ledger.actors[who], Filters(**asked), now_us=now)


def scatter(ledger: Ledger, n: int) -> None:
    dice = Random(7)
    for _ in range(n):
        regression = dice.random() < 0.2
        ledger.write(
            dice.choice(["alice", "bob"]),
            "diabetes" if regression else "iris",
            created_us=NOON + dice.randrange(-3 * DAY, DAY),
            label=None if regression else dice.choice(["setosa", "versicolor", "virginica"]),
            value=dice.uniform(25, 346) if regression else None,
            score=None if regression else dice.choice([0.05, 0.5, 0.95, 1.0, dice.random()]),
            channel=dice.choice(["form", "api"]),
            latency_us=dice.randrange(300, 90_000),
            warnings=[WARNING] * dice.randrange(2),
        )


class Failed(NamedTuple):
    minute_us: int
    model_id: int | None
    kind: str
    count: int


def fail(ledger: Ledger, n: int) -> list[Failed]:
    """Failures of n minutes, some of models that do not exist."""
    dice, models = Random(8), [None, *(ledger.versions[name, 1].model_id for name in ("iris", "diabetes"))]
    rows = [
        Failed(
            (NOON + dice.randrange(-3 * DAY, DAY)) // MINUTE * MINUTE,
            dice.choice(models),
            dice.choice(["InvalidInput", "NotFound", "NotReady"]),
            dice.randrange(1, 9),
        )
        for _ in range(n)
    ]
    session().add_all(Failure(**row._asdict()) for row in rows)
    session().commit()
    return rows


def nearest_rank(values: list[int], p: int) -> int | None:
    """As read off the bins, having checked that it is as near as is promised."""
    if not values:
        return None
    exact = sorted(values)[ceil(p * len(values) / 100) - 1]
    shown = latency_of(latency_bin(exact))
    assert abs(shown - exact) <= LATENCY_ERROR * exact + 0.5
    return shown


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("model", [None, "iris", "diabetes"])
def test_the_numbers_are_those_of_counting_by_hand(
    ledger: Ledger, model: str | None, *, counted: bool
) -> None:
    scatter(ledger, 300)
    if counted:
        rollups.refresh(NOON)
        scatter(ledger, 40)
    seen = look(ledger, model=model)
    records = list(export(ledger.actors["carol"], Filters(model, None, since_us=seen.since_us)))
    for i, start in enumerate(seen.starts):
        inside = [r for r in records if start <= r.created_us < start + seen.step_us]
        assert seen.volume[i] == len(inside)
        for p, line in ((50, seen.p50_us), (95, seen.p95_us), (99, seen.p99_us)):
            assert line[i] == nearest_rank([r.latency_us for r in inside], p)
        for name, series in seen.series.items():
            assert series[i] == sum((r.label if model else r.model) == name for r in inside)
    assert seen.now.predictions == len(records) == sum(seen.volume) == sum(seen.channels.values())
    assert seen.now.warned == sum(r.warned > 0 for r in records)
    assert seen.now.p95_us == nearest_rank([r.latency_us for r in records], 95)
    assert seen.channels["api"] == sum(r.channel == "api" for r in records)
    assert seen.histogram.counts == by_hand(seen, records)


def by_hand(seen: Overview, records: list[Record]) -> list[int]:
    edges, counts = seen.histogram.edges, [0] * len(seen.histogram.counts)
    for number in (getattr(r, seen.histogram.of) for r in records):
        if number is not None:
            counts[max(i for i in range(len(counts)) if edges[i] <= number)] += 1
    return counts


@pytest.mark.parametrize("model", [None, "iris"])
def test_failures_are_those_of_counting_by_hand(ledger: Ledger, model: str | None) -> None:
    iris = ledger.versions["iris", 1].model_id
    rows = [r for r in fail(ledger, 300) if model is None or r.model_id == iris]
    seen = look(ledger, model=model)
    assert seen.errors is not None
    for i, start in enumerate(seen.starts):
        inside = [r for r in rows if max(start, seen.since_us) <= r.minute_us < start + seen.step_us]
        for kind, series in seen.errors.items():
            assert series[i] == sum(r.count for r in inside if r.kind == kind)
    assert seen.now.errors == sum(r.count for r in rows if r.minute_us >= NOON - DAY)
    assert seen.before.errors == sum(r.count for r in rows if NOON - 3 * DAY <= r.minute_us < NOON - DAY)
    totals = [sum(series) for series in seen.errors.values()]
    assert totals == sorted(totals, reverse=True)


def test_a_minute_of_failures_belongs_to_the_period_in_which_it_begins(ledger: Ledger) -> None:
    for at, count in (
        (NOON - 3 * DAY - MINUTE, 1),
        (NOON - DAY - MINUTE, 2),
        (NOON - DAY, 4),
        (NOON + DAY, 8),
    ):
        session().add(Failure(minute_us=at, model_id=None, kind="NotFound", count=count))
    session().commit()
    seen = look(ledger, since_us=NOON - DAY, until_us=NOON + DAY)
    assert (seen.now.errors, seen.before.errors) == (4, 2)


@pytest.mark.parametrize(
    ("who", "known"), [("alice", False), ("paula", False), ("carol", True), ("dave", True)]
)
def test_failures_are_shown_to_those_who_see_all_records(ledger: Ledger, who: str, known: bool) -> None:
    fail(ledger, 3)
    seen = look(ledger, who)
    assert [f is not None for f in (seen.errors, seen.now.errors, seen.before.errors)] == [known] * 3


def test_totals_are_set_against_the_period_before(ledger: Ledger) -> None:
    ledger.write(created_us=NOON - 3 * DAY, latency_us=5, warnings=[WARNING])
    ledger.write(created_us=NOON - 3 * DAY - 1)
    ledger.write(created_us=NOON - DAY, latency_us=9)
    seen = look(ledger)
    assert (seen.before.predictions, seen.before.warned, seen.before.p95_us) == (1, 1, 5)
    assert (seen.now.predictions, seen.now.warned, seen.now.p95_us) == (1, 0, 9)


def test_a_period_that_is_not_over_is_compared_with_an_equally_long_one(ledger: Ledger) -> None:
    ledger.write(created_us=NOON - HOUR - 1)
    ledger.write(created_us=NOON - 2 * HOUR - 1)
    seen = look(ledger, since_us=NOON - HOUR, until_us=NOON + DAY, now_us=NOON - 1)
    assert (seen.until_us, seen.before.predictions) == (NOON, 1)


def test_the_minute_that_is_not_over_belongs_to_the_period(ledger: Ledger) -> None:
    ledger.write(created_us=NOON)
    seen = look(ledger, until_us=None, now_us=NOON)
    assert (seen.until_us, seen.now.predictions) == (NOON + MINUTE, 1)


def test_without_a_beginning_it_begins_with_the_first_record(ledger: Ledger) -> None:
    ledger.write(created_us=NOON + 7)
    assert look(ledger, since_us=None).since_us == NOON


def test_a_promotion_is_marked(ledger: Ledger) -> None:
    for version, live in ((1, True), (2, False), (3, True)):
        facts = {"model": "iris", "version": version, "live": live}
        audit.append(session(), "publish", None, facts)
    session().execute(update(Event).values(at_us=NOON))
    session().commit()
    assert [m.version for m in look(ledger).marks] == ["1", "3"]
    assert [m.version for m in look(ledger, model="diabetes").marks] == []


def test_an_empty_period_has_no_percentiles(ledger: Ledger) -> None:
    seen = look(ledger)
    assert (seen.now.predictions, seen.now.p95_us, seen.series) == (0, None, {})
    assert set(seen.p99_us) == {None}
    assert (seen.errors, seen.now.errors, seen.before.errors) == ({}, 0, 0)


def test_an_analyst_sees_the_figures_of_her_own_records(ledger: Ledger) -> None:
    ledger.write("alice")
    ledger.write("bob", created_us=NOON)
    assert look(ledger, "alice").now.predictions == 1


@pytest.mark.parametrize(
    "span", [1, HOUR, 200 * 60 * SECOND, DAY, 7 * DAY, 31 * DAY, 366 * DAY, 20 * 366 * DAY]
)
@pytest.mark.parametrize("shift", [0, 59 * SECOND, 23 * HOUR])
def test_no_series_exceeds_two_hundred_points(span: int, shift: int) -> None:
    step, since = bucket_us(span), NOON + shift
    assert (since + span - 1) // step - since // step + 1 <= monitoring.MOST_BUCKETS


@pytest.mark.parametrize("rows", [10, 40])
def test_more_records_cost_no_more_queries(ledger: Ledger, rows: int) -> None:
    scatter(ledger, rows)
    fail(ledger, rows)
    with queries() as made:
        look(ledger)
    assert len(made) == 8
