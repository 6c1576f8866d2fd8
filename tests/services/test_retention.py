"""Retention: the rule, who sets it, and what it erases."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.erasing import DAY_US, fill
from tests.records import queries
from webapp.db import Event, Job, Prediction
from webapp.db.base import session, transaction
from webapp.errors import InvalidInput, NotAllowed
from webapp.services import holds, predictions, retention
from webapp.services.erasure import parts
from webapp.services.horizons import RETAINED, advance, horizon
from webapp.services.people import Actor
from webapp.services.predictions import Ask
from webapp.services.retention import Rule
from webapp.services.targets import Target

Who = Callable[[str], Actor]
SHORT = "LESS THAN SIX MONTHS"


def counted() -> dict[str, int]:
    session().rollback()
    found: dict[str, int] = {}
    for (state,) in session().query(Prediction.state):
        found[state] = found.get(state, 0) + 1
    return found


def events(kind: str) -> list[dict[str, Any]]:
    session().rollback()
    return [
        json.loads(e.facts or "") for e in session().query(Event).filter_by(kind=kind).order_by(Event.seq)
    ]


def test_nothing_is_erased_until_somebody_says_so(app: Flask, desk: Any) -> None:
    fill(session(), 3, lambda _: {})
    assert retention.rule(None) == Rule(None, 183) and retention.apply(desk, 5) == 0


def test_the_rule_is_set_by_admins_and_goes_on_the_record(app: Flask, actor: Who) -> None:
    for name in ("alice", "paula", "carol"):
        with pytest.raises(NotAllowed):
            retention.change(actor(name), days=365, floor_days=183)
    with pytest.raises(NotAllowed):
        retention.rule(actor("alice"))
    assert retention.change(actor("dave"), days=365, floor_days=200) == Rule(365, 200)
    retention.change(actor("dave"), days=365, floor_days=200)
    assert retention.rule(actor("carol")) == Rule(365, 200)
    change = {"from": {"days": None, "floor_days": 183}, "to": {"days": 365, "floor_days": 200}}
    assert events("retention-changed") == [change]


@pytest.mark.parametrize(
    ("days", "floor", "typed", "pointer"),
    [
        (0, 183, "", "#/days"),
        (36_501, 183, "", "#/days"),
        (182, 183, SHORT, "#/days"),
        (183, 184, "", "#/days"),
        (200, -1, "", "#/floor_days"),
        (200, 36_501, "", "#/floor_days"),
        (182, 100, "", "#/typed"),
        (None, 182, "", "#/typed"),
        (None, 182, "less than six months", "#/typed"),
    ],
)
def test_a_rule_that_can_not_be_is_refused(
    app: Flask, actor: Who, days: int | None, floor: int, typed: str, pointer: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        retention.change(actor("dave"), days=days, floor_days=floor, typed=typed)
    assert [p.pointer for p in error.value.problems] == [pointer]
    assert retention.rule(None) == Rule(None, 183)


def test_less_than_six_months_has_to_be_typed_once(app: Flask, actor: Who) -> None:
    assert retention.change(actor("dave"), days=90, floor_days=30, typed=SHORT) == Rule(90, 30)
    assert retention.change(actor("dave"), days=100, floor_days=30) == Rule(100, 30)
    with pytest.raises(InvalidInput):
        retention.change(actor("dave"), days=100, floor_days=29)


def test_what_is_older_goes_oldest_first_and_the_rest_stays(
    app: Flask, actor: Who, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PART", 10)
    old = fill(session(), 25, lambda i: {"subject": f"case {i}"})
    fill(session(), 5, lambda _: {}, days=300)
    holds.restrict(actor("dave"), Target.of([old[3]]), "a claim")
    retention.change(actor("dave"), days=365, floor_days=183)
    due = retention.due(None, 365)
    assert (due.records, due.held) == (24, 1)
    assert retention.apply(desk, 60) == 24
    assert counted() == {"active": 5, "restricted": 1, "erased": 24}
    told = events("erasure")
    assert {(e["basis"], e["requested_by"], e["despite_floor"]) for e in told} == {
        ("retention",) * 2 + (False,)
    }
    assert [r for e in told for r in e["records"]] == [*old[:3], *old[4:]]
    assert retention.apply(desk, 60) == 0 and len(events("erasure")) == len(told)


def test_what_is_lifted_later_is_erased_then(app: Flask, actor: Who, desk: Any) -> None:
    old = fill(session(), 5, lambda _: {})
    holds.restrict(actor("dave"), Target.of([old[2]]), "a claim")
    retention.change(actor("dave"), days=365, floor_days=183)
    assert retention.apply(desk, 60) == 4
    holds.lift(actor("dave"), Target.of([old[2]]))
    assert retention.apply(desk, 60) == 1 and counted() == {"erased": 5}


def test_what_is_erased_is_not_looked_at_again(app: Flask, actor: Who, desk: Any) -> None:
    fill(session(), 600, lambda _: {})
    retention.change(actor("dave"), days=365, floor_days=183)
    assert retention.apply(desk, 60) == 600
    newest = session().query(Prediction.created_us).order_by(Prediction.created_us.desc()).first()
    assert newest and horizon(session(), RETAINED) > newest[0]
    with queries() as seen:
        retention.apply(desk, 60)
    reads = [p for statement, p in seen if "created_us >=" in statement]
    assert reads, "the oldest is read from where all is done"


def test_a_batch_that_is_being_worked_on_is_waited_for(app: Flask, actor: Who, desk: Any) -> None:
    ids = fill(session(), 4, lambda i: {"channel": "batch", "request_id": "job_1"} if i > 1 else {})
    row = session().query(Prediction).filter_by(id=ids[2]).one()
    kept = {"model_id": row.model_id, "version_id": row.version_id, "user_id": row.user_id}
    more = {"file_name": "x.csv", "file_bytes": 9, "created_us": row.created_us - 1, "moved_us": 1}
    with transaction() as s:
        s.add(Job(id="job_1", state="running", **kept, **more))
    retention.change(actor("dave"), days=365, floor_days=183)
    assert retention.apply(desk, 60) == 2
    folder = desk.workshop.job("job_1")
    folder.mkdir(parents=True)
    with transaction() as s:
        s.query(Job).update({"state": "done"})
    assert retention.apply(desk, 60) == 2 and counted() == {"erased": 4} and not folder.exists()


def test_a_mark_that_somebody_has_moved_is_left(app: Flask, actor: Who) -> None:
    with transaction() as s:
        assert advance(s, RETAINED, 0, 10)
    with transaction() as s:
        assert not advance(s, RETAINED, 5, 20)
    assert horizon(session(), RETAINED) == 10


def test_predictions_go_on_while_old_records_go(app: Flask, actor: Who, desk: Any) -> None:
    under_load(app, actor("alice"), desk, 3000)


def under_load(app: Flask, alice: Actor, desk: Any, n: int) -> float:
    """E4: erase `n` old records while somebody asks; all are answered and kept. Returns the longest wait, seconds."""
    fill(session(), n, lambda i: {"subject": f"case {i}"})
    retention.change(None, days=365, floor_days=183)
    session().rollback()
    over, waits, made = threading.Event(), [0.0], [0]
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}

    def asking() -> None:
        with app.app_context():
            while not over.is_set():
                begun = time.monotonic()
                ask = Ask("iris", [row], "api", os.urandom(8).hex(), time.time_ns())
                made[0] += len(predictions.make(desk, alice, ask))
                waits.append(time.monotonic() - begun)

    thread = threading.Thread(target=asking)
    thread.start()
    erased = 0
    while erased < n:
        erased += retention.apply(desk, 5)
    over.set()
    thread.join(30)
    assert counted() == {"erased": n, "active": made[0]} and made[0] > 10
    named = [r for e in events("erasure") for r in e["records"]]
    assert (
        len(named) == len(set(named)) == n and max(len(e["records"]) for e in events("erasure")) <= parts.PART
    )
    return max(waits)


def test_days_are_counted_to_the_moment(app: Flask, actor: Who, desk: Any) -> None:
    fill(session(), 1, lambda _: {}, days=365.001)
    fill(session(), 1, lambda _: {}, days=364.999)
    retention.change(actor("dave"), days=365, floor_days=183)
    assert retention.apply(desk, 60) == 1
    assert DAY_US == 86_400_000_000
