from __future__ import annotations

import math
import threading
from collections import Counter
from random import Random
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from tests.records import NOON, SECOND, Ledger, queries
from webapp.db import Prediction, Rollup
from webapp.db.base import session
from webapp.db.changes import HOLD_ACCESS
from webapp.services import history, rollups
from webapp.services.filters import Filters
from webapp.services.monitoring import Overview, overview
from webapp.services.rollups.bins import (
    LATENCY_ERROR,
    MOST_BINS,
    Numbers,
    latency_bin,
    latency_of,
    number_bin,
    percentiles,
    score_bin,
)
from webapp.services.rollups.levels import DAY as DAY_S
from webapp.services.rollups.levels import OF_ALL, OF_ONE, cover
from webapp.services.rollups.reading import Reader

MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
FILTERS = [
    Filters(),
    Filters(model="iris"),
    Filters(model="diabetes", version=2),
    Filters(version=1, channel="api"),
    Filters(user="bob"),
    Filters(user="nobody"),
    Filters(model="iris", version=9),
    Filters(user="alice", since_us=NOON - 9 * DAY + 7 * MINUTE, until_us=NOON - 9 * DAY + 50 * MINUTE),
    Filters(since_us=NOON - 8 * DAY + 7 * MINUTE, until_us=NOON - 3 * DAY + 11 * MINUTE),
    Filters(model="iris", since_us=NOON - 13 * MINUTE, until_us=NOON + 2 * MINUTE),
]


def scatter(ledger: Ledger, dice: Random, n: int, days: int = 20) -> None:
    """n records of the last days, most of them lately, in one go."""
    rows = []
    start = session().scalar(select(func.count()).select_from(Prediction)) or 0
    for i in range(n):
        model, version = dice.choice(["iris", "diabetes"]), dice.choice([1, 2])
        regression, row = model == "diabetes", ledger.versions[model, version]
        created = NOON - int(dice.random() ** 4 * days * DAY)
        rows.append(
            {
                "id": f"pred_{start + i:044x}",
                "created_us": created,
                "finished_us": created,
                "request_id": "-",
                "user_id": ledger.actors[dice.choice(["alice", "bob"])].id,
                "role": "analyst",
                "channel": dice.choice(["form", "api"]),
                "model_id": row.model_id,
                "version_id": row.id,
                "label": None if regression else dice.choice(["setosa", "versicolor", "ção"]),
                "value": dice.gauss(150, 40) if regression else None,
                "score": None if regression else dice.choice([0.0, 0.35, 1.0, dice.random()]),
                "warned": dice.choice([0, 0, 1, 3]),
                "engine": "onnx",
                "latency_us": int(dice.lognormvariate(7, 1.5)),
                "timings": "{}",
            }
        )
    session().execute(insert(Prediction), rows)
    session().commit()


def by_hand(ledger: Ledger, who: str, filters: Filters) -> list[Any]:
    wanted = history.matching(ledger.actors[who], filters)
    return list(session().scalars(select(Prediction).where(*wanted)))


def look(ledger: Ledger, who: str, filters: Filters) -> Overview:
    return overview(ledger.actors[who], filters, now_us=NOON + DAY)


def check(ledger: Ledger, who: str, filters: Filters) -> None:
    """Everything that is shown, against the records themselves."""
    seen = look(ledger, who, filters)
    span = {"since_us": seen.since_us, "until_us": seen.until_us}
    records = by_hand(
        ledger, who, Filters(filters.model, filters.version, None, filters.user, filters.channel, **span)
    )
    first = seen.starts[0] // seen.step_us
    volume = Counter(r.created_us // seen.step_us - first for r in records)
    assert seen.volume == [volume[i] for i in range(len(seen.starts))]
    assert seen.channels == Counter(r.channel for r in records)
    names = Counter(r.label if filters.model else r.model.name for r in records)
    assert {name: sum(line) for name, line in seen.series.items()} == {n: c for n, c in names.items() if n}
    assert seen.now.predictions == len(records)
    assert seen.now.warned == sum(r.warned > 0 for r in records)
    for p, line in ((50, seen.p50_us), (95, seen.p95_us), (99, seen.p99_us)):
        for i, shown in enumerate(line):
            inside = sorted(r.latency_us for r in records if r.created_us // seen.step_us - first == i)
            if inside:
                exact = inside[math.ceil(p * len(inside) / 100) - 1]
                assert shown == latency_of(latency_bin(exact))
            else:
                assert shown is None
    values = [r.value for r in records if r.value is not None]
    if filters.model and values:
        assert seen.histogram.of == "value"
        edges, counts = seen.histogram.edges, [0] * len(seen.histogram.counts)
        for value in values:
            counts[max(i for i, edge in enumerate(edges[:-1]) if edge <= value)] += 1
        assert (seen.histogram.counts, sum(counts)) == (counts, len(values))
    else:
        bins = Counter(int(score_bin(r.score)) for r in records if r.score is not None)
        assert seen.histogram.counts == [bins[i] for i in range(20)]


def test_figures_are_those_of_the_records_however_far_the_counting_has_come(ledger: Ledger) -> None:
    dice = Random(11)
    for turn in range(3):
        scatter(ledger, dice, 150)
        for who in ("alice", "carol"):
            for filters in FILTERS:
                check(ledger, who, filters)
        assert rollups.refresh(NOON) == 150
        for filters in FILTERS:
            check(ledger, ("alice", "carol", "dave")[turn], filters)
    assert rollups.behind() == 0


def test_an_erased_record_stays_counted(ledger: Ledger) -> None:
    record = ledger.write()
    rollups.refresh(NOON)
    erased = session().query(Prediction).filter_by(id=record).one()
    erased.inputs = erased.output = erased.salts = None
    erased.state = "erased"
    session().commit()
    assert look(ledger, "carol", Filters()).now.predictions == 1


def test_chunks_add_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 7)
    scatter(ledger, Random(13), 50, days=1)
    assert rollups.refresh(NOON) == 50
    assert rollups.refresh(NOON) == 0
    check(ledger, "carol", Filters(model="iris"))
    days = select(func.sum(Rollup.predictions)).where(Rollup.level == DAY_S, Rollup.scope == 0)
    assert session().scalar(days) == 50


def test_two_that_count_at_once_count_once(
    ledger: Ledger, bare: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    scatter(ledger, Random(14), 40)
    meanwhile = rollups._add_known

    def overtaken(*args: Any) -> None:
        monkeypatch.setattr(rollups, "_add_known", meanwhile)
        meanwhile(*args)
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()

    def elsewhere() -> None:
        with bare.app_context():
            assert rollups.refresh(NOON) == 40

    monkeypatch.setattr(rollups, "_add_known", overtaken)
    assert rollups.refresh(NOON) == 0
    check(ledger, "carol", Filters())


def test_a_record_that_appears_late_is_not_passed_over(ledger: Ledger, bare: Flask) -> None:
    """Numbers are given out in one order and committed in another: whoever has taken one is waited for."""
    if session().get_bind().dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    early = bare.extensions["sqlalchemy"].engine.connect()
    early.exec_driver_sql(HOLD_ACCESS)
    early.exec_driver_sql("SELECT nextval('predictions_seq_seq')")
    ledger.write()
    counted: list[int] = []

    def elsewhere() -> None:
        with bare.app_context():
            counted.append(rollups.refresh(NOON))

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join(0.3)
    assert counted == []
    early.rollback()
    other.join(5)
    assert counted == [1]
    early.close()


def test_a_reader_sees_one_moment(ledger: Ledger, bare: Flask) -> None:
    scatter(ledger, Random(15), 30)
    reader = Reader(ledger.actors["carol"], Filters())

    def elsewhere() -> None:
        with bare.app_context():
            rollups.refresh(NOON)

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()
    parts = reader.parts(NOON - 30 * DAY, NOON + DAY, DAY_S)
    assert sum(p.cell.predictions for p in parts) == 30


def test_what_is_read_does_not_grow_with_the_records(ledger: Ledger) -> None:
    """A day of one person is as many rows as it has quarters of an hour, versions and channels."""
    scatter(ledger, Random(16), 2_000, days=1)
    rollups.refresh(NOON)
    reader = Reader(ledger.actors["alice"], Filters())
    with queries() as made:
        parts = list(reader.parts(NOON - DAY, NOON + DAY, 900))
    assert len(made) == 1
    assert len(parts) <= 97 * 4 * 2
    assert sum(p.cell.predictions for p in parts) == len(by_hand(ledger, "alice", Filters()))


def test_no_index_but_the_number_is_used_for_new_records(ledger: Ledger) -> None:
    if session().get_bind().dialect.name != "sqlite":
        pytest.skip("PostgreSQL's planner knows how many there are")
    scatter(ledger, Random(17), 20)
    with queries() as made:
        look(ledger, "alice", Filters())
    tails = [q for q in made if "seq >" in q[0]]
    assert len(tails) == 2  # of the period, and of the one before
    for statement, parameters in tails:
        plan = session().connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        assert ["INTEGER PRIMARY KEY" in row[-1] for row in plan] == [True]


def test_kept_counts_are_found_by_their_key(ledger: Ledger) -> None:
    if session().get_bind().dialect.name != "sqlite":
        pytest.skip("PostgreSQL's planner knows how many there are")
    scatter(ledger, Random(18), 20)
    rollups.refresh(NOON)
    with queries() as made:
        look(ledger, "alice", Filters(model="iris"))
        scatter(ledger, Random(19), 20)
        rollups.refresh(NOON)
    for statement, parameters in made:
        if "FROM rollups" in statement:
            plan = session().connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert all("PRIMARY KEY (level=? AND scope=?" in r[-1] for r in plan if "rollups" in r[-1]), plan
            assert not any(r[-1].startswith("SCAN rollups") for r in plan)


@pytest.mark.usefixtures("ledger")
def test_nothing_is_kept_of_nothing() -> None:
    assert rollups.refresh(NOON) == 0
    assert session().scalar(select(func.count()).select_from(Rollup)) == 0


def test_minutes_are_kept_for_some_days(ledger: Ledger) -> None:
    ledger.write(created_us=NOON - 4 * DAY)
    ledger.write(created_us=NOON)
    minutes = select(Rollup.start_us).where(Rollup.level == 60).distinct()
    rollups.refresh(NOON)
    assert list(session().scalars(minutes)) == [NOON]
    ledger.write(created_us=NOON + DAY)
    rollups.refresh(NOON + 4 * DAY)
    assert list(session().scalars(minutes)) == [NOON + DAY]
    for filters in FILTERS:
        check(ledger, "carol", filters)


@given(
    st.integers(0, 3 * 366 * 1440),
    st.integers(1, 3 * 366 * 1440),
    st.sampled_from([lengths[:n] for lengths in (OF_ALL, OF_ONE) for n in range(1, len(lengths) + 1)]),
)
def test_a_cover_is_the_whole_time_once(start: int, minutes: int, lengths: tuple[int, ...]) -> None:
    since, until = (us // lengths[0] * lengths[0] * SECOND for us in (start * 60, (start + minutes) * 60))
    pieces = cover(since, until, lengths)
    ordered = sorted(pieces, key=lambda piece: piece[1])
    assert [p[1] for p in ordered] == [since, *(p[2] for p in ordered[:-1])]
    assert ordered[-1][2] == until
    for level, low, high in pieces:
        assert level in lengths
        assert low % (level * SECOND) == high % (level * SECOND) == 0
    assert len(pieces) <= 2 * len(lengths) - 1


@given(st.integers(0, 10**10))
def test_a_latency_is_told_within_its_error(us: int) -> None:
    assert abs(latency_of(latency_bin(us)) - us) <= LATENCY_ERROR * us + 0.5


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=50), st.integers(1, 100))
def test_percentiles_are_nearest_rank(latencies: list[int], p: int) -> None:
    counts = Counter(latency_bin(us) for us in latencies)
    exact = sorted(latencies)[math.ceil(len(latencies) * p / 100) - 1]
    assert percentiles(counts, [p]) == [latency_of(latency_bin(exact))]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60))
def test_numbers_of_any_size_are_counted(values: list[float]) -> None:
    together, apart = Numbers(), [Numbers.of(value) for value in values]
    for one in apart:
        together.add(one)
    halves = [Numbers(), Numbers()]
    for i, one in enumerate(apart):
        halves[i % 2].add(one)
    halves[0].add(halves[1])
    assert (together.power, together.bins) == (halves[0].power, halves[0].bins)
    edges, counts = together.spread(20)
    assert sum(counts) == len(values)
    assert len(edges) == len(counts) + 1
    assert len(counts) <= 23
    assert edges == sorted(edges)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300))
def test_numbers_lie_between_their_edges(values: list[float]) -> None:
    numbers = Numbers()
    for value in values:
        numbers.add(Numbers.of(value))
    edges, counts = numbers.spread(20)
    slack = 1e-9 * max(map(abs, edges))
    assert edges[0] - slack <= min(values)
    assert max(values) <= edges[-1] + slack
    assert counts[0] and counts[-1]


def test_many_numbers_take_no_more_bins() -> None:
    numbers, dice = Numbers(), Random(20)
    values = [dice.gauss(150, 40) for _ in range(5_000)]
    for value in values:
        numbers.add(Numbers.of(value))
    assert len(numbers.bins) <= MOST_BINS
    assert len(numbers.bins) >= 40
    assert numbers.bins == Counter(number_bin(value, numbers.power) for value in values)


def test_a_decimal_on_an_edge_belongs_above_it() -> None:
    assert [number_bin(v, -1) for v in (0.3, 0.7, 0.29, -0.1, 2.9999)] == [3, 7, 2, -1, 29]
