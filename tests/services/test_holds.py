"""Restriction: who sets and lifts it, when it ends, and who sees what is under it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.erasing import DAY_US, fill
from webapp.db import Event, Hold, Job, Prediction
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound
from webapp.services import history, holds, jobs, outcomes, reviews
from webapp.services.clock import now_us
from webapp.services.filters import Filters
from webapp.services.people import Actor
from webapp.services.predictions.recent import recent
from webapp.services.targets import Target
from webapp.services.totals import totals

Who = Callable[[str], Actor]


def states() -> list[str]:
    session().rollback()
    return [row.state for row in session().query(Prediction).order_by(Prediction.seq)]


def facts(kind: str) -> list[dict[str, Any]]:
    rows = session().query(Event).filter_by(kind=kind).order_by(Event.seq)
    return [{"user": e.user_id, **json.loads(e.facts or "")} for e in rows]


def test_a_record_is_restricted_and_lifted_and_both_are_on_the_record(app: Flask, actor: Who) -> None:
    first, _ = fill(session(), 2, lambda _: {})
    until = now_us() + DAY_US
    assert holds.restrict(actor("dave"), Target.of([first]), " a claim ", until) == 1
    assert states() == ["restricted", "active"]
    [held] = holds.of_record(first)
    assert (held.user, held.reason, held.until_us, held.lifted_us) == ("dave", "a claim", until, None)
    told = {"records": [first], "until_us": until, "reason": "a claim", "user": actor("dave").id}
    assert facts("restriction") == [told]
    with pytest.raises(Conflict):
        holds.restrict(actor("dave"), Target.of([first]), "again")
    assert holds.lift(None, Target.of([first])) == 1
    assert states() == ["active", "active"] and facts("restriction-lifted") == [
        {"records": [first], "user": None}
    ]
    assert holds.of_record(first)[0].lifted_us
    with pytest.raises(NotFound):
        holds.lift(None, Target.of([first]))
    assert holds.restrict(None, Target.of([first]), "once more") == 1
    assert [h.user for h in holds.of_record(first)] == ["dave", None]


def test_all_about_a_subject_is_restricted_in_parts(
    app: Flask, actor: Who, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "PART", 10)
    fill(session(), 50, lambda i: {"subject": "case 7" if i % 2 else "case 71"})
    assert holds.restrict(actor("dave"), Target.of(subject="case 7"), "a claim") == 25
    assert states() == ["active", "restricted"] * 25 and len(facts("restriction")) == 3
    assert holds.count_standing(Target.of(subject="case 7")) == 25
    assert holds.lift(actor("dave"), Target.of(subject="case 7")) == 25
    assert set(states()) == {"active"}


@pytest.mark.parametrize("name", ["alice", "paula", "carol"])
def test_only_admins_restrict_and_lift(app: Flask, actor: Who, name: str) -> None:
    [record] = fill(session(), 1, lambda _: {})
    with pytest.raises(NotAllowed):
        holds.restrict(actor(name), Target.of([record]), "a claim")
    holds.restrict(actor("dave"), Target.of([record]), "a claim")
    with pytest.raises(NotAllowed):
        holds.lift(actor(name), Target.of([record]))


@pytest.mark.parametrize("reason", ["", " ", "x" * 2001, "a\0b", "Case 7 complains"])
def test_a_reason_is_needed_and_names_nobody(app: Flask, actor: Who, reason: str) -> None:
    [record] = fill(session(), 1, lambda _: {"subject": "case 7"})
    for target in (Target.of([record]), Target.of(subject="case 7")):
        with pytest.raises(InvalidInput) as error:
            holds.restrict(actor("dave"), target, reason)
        assert [p.pointer for p in error.value.problems] == ["#/reason"]
    assert states() == ["active"]


@pytest.mark.parametrize("text", ["soon", "2020-01-01", "1969-01-01", "2027-02-30", "9999-12-31"])
def test_an_end_is_a_day_to_come(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        holds.until(text)
    assert [p.pointer for p in error.value.problems] == ["#/until"]
    assert holds.until(" ") is None


def test_a_day_is_meant_to_its_end() -> None:
    assert holds.until("2090-01-31") == holds.until("2090-02-01T00:00:00Z")


def test_what_is_over_is_lifted_by_itself(app: Flask, actor: Who) -> None:
    first, second, third = fill(session(), 3, lambda _: {})
    holds.restrict(actor("dave"), Target.of([first]), "a claim", now_us() + DAY_US)
    holds.restrict(actor("dave"), Target.of([second]), "a claim", now_us() + 2 * DAY_US)
    holds.restrict(actor("dave"), Target.of([third]), "a claim")
    assert holds.expire() == 0
    session().query(Hold).filter(Hold.until_us < now_us() + 1.5 * DAY_US).update({"until_us": now_us() - 1})
    session().commit()
    assert holds.expire() == 1 and states() == ["active", "restricted", "restricted"]
    assert facts("restriction-lifted") == [{"records": [first], "expired": True, "user": None}]


def test_the_result_of_a_batch_is_held_back_with_a_record_in_it(app: Flask, actor: Who) -> None:
    [record] = fill(session(), 1, lambda _: {"channel": "batch", "request_id": "job_1"})
    row = session().query(Prediction).filter_by(id=record).one()
    kept = {"model_id": row.model_id, "version_id": row.version_id, "user_id": row.user_id, "state": "done"}
    findings = {"how": {"format": "csv"}, "names": ["x"], "classes": []}
    more = {"file_name": "x.csv", "file_bytes": 9, "created_us": 1, "moved_us": 1, "parts": "[[1,0]]"}
    with transaction() as s:
        s.add(Job(id="job_1", findings=json.dumps(findings), **kept, **more))
    desk = app.extensions["desk"]
    assert jobs.result(desk, actor("alice"), "job_1").size
    holds.restrict(actor("dave"), Target.of([record]), "a claim")
    with pytest.raises(Conflict, match="held back"):
        jobs.result(desk, actor("alice"), "job_1")
    assert jobs.result(desk, actor("carol"), "job_1").size


def test_who_does_not_see_all_neither_sees_nor_judges_it(app: Flask, actor: Who) -> None:
    record, near = fill(session(), 2, lambda _: {"subject": "case 7"})
    store = app.extensions["desk"].store
    holds.restrict(actor("dave"), Target.of([record]), "a claim")
    alice, carol = actor("alice"), actor("carol")
    every = [
        {},
        {"subject": "case 7"},
        {"state": "restricted"},
        {"q": "case 7"},
        {"q": record},
        {"label": "setosa"},
    ]
    for words in every:
        filters = Filters.read(words)
        listed = [r.id for r in history.search(alice, filters, limit=9, key="k" * 32).records]
        assert record not in listed, words
        assert record not in [r.id for r in history.export(alice, filters)]
        assert totals(alice, filters, at_most=10).records == len(listed), words
        assert record in [r.id for r in history.export(carol, filters)]
    assert history.oldest_us(alice, Filters()) == history.get(alice, near).created_us
    assert history.neighbours(alice, Filters(), history.get(alice, near)) == (None, None)
    assert history.of_subject(alice, history.get(alice, near)) == []
    assert record not in [r.id for r in recent(alice, "iris")]
    for act in (
        lambda: history.get(alice, record),
        lambda: reviews.confirm(alice, record),
        lambda: outcomes.report(store, alice, record, "setosa", "api"),
    ):
        with pytest.raises(NotFound):
            act()
    reviews.confirm(actor("dave"), record)
