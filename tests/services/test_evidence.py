"""Verifications that a worker does, what was live when, and settings on the record."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from tests.services.test_predictions import SETOSA, Cast, ask, session
from webapp.db import Event, Verification
from webapp.db.base import transaction
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound
from webapp.services import audit, installation, predictions, sealing
from webapp.services.clock import now_us
from webapp.services.desk import Desk
from webapp.services.releases import live_at
from webapp.services.sealing.keys import Keyring
from webapp.services.verifying import runs


@pytest.fixture
def keys(desk: Desk, actor: Cast) -> Keyring:
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 600))
    sealing.seal(desk.seals.keys)
    return desk.seals.keys


def test_a_worker_verifies_what_was_asked_for(keys: Keyring, actor: Cast) -> None:
    carol = actor("carol")
    number = runs.ask(carol, sealing.newest().note)
    assert runs.ask(carol, sealing.newest().note) == number  # one at a time
    with pytest.raises(Conflict):
        runs.ask(carol)
    assert runs.get(carol, number).state == "waiting"
    assert runs.work(keys)
    run = runs.get(carol, number)
    assert (run.state, run.share, run.findings.sound) == ("done", 1.0, True)
    assert run.findings.anchored == sealing.newest().size
    assert not runs.work(keys)
    assert [r.number for r in runs.latest(carol)] == [number]
    assert session().query(Event).filter_by(kind="verification").count() == 1


def test_a_verification_is_ended_before_or_while_it_runs(
    keys: Keyring, actor: Cast, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    carol = actor("carol")
    number = runs.ask(carol)
    runs.cancel(carol, number)
    assert runs.get(carol, number).state == "cancelled"
    assert not runs.work(keys)
    monkeypatch.setattr(runs, "NOTED", 0.0)
    noted = runs._note

    def note(*values: Any) -> None:
        runs.cancel(carol, number)
        noted(*values)

    monkeypatch.setattr(runs, "_note", note)
    number = runs.ask(carol)
    assert runs.work(keys)
    run = runs.get(carol, number)
    assert (run.state, run.findings) == ("cancelled", None)


def test_one_whose_worker_is_gone_is_begun_again(keys: Keyring, actor: Cast) -> None:
    number = runs.ask(actor("carol"))
    with transaction() as current:
        current.execute(update(Verification).values(state="running", moved_us=now_us()))
    assert not runs.work(keys)
    with transaction() as current:
        current.execute(update(Verification).values(moved_us=now_us() - 61_000_000))
    assert runs.work(keys)
    assert runs.get(actor("carol"), number).state == "done"


def test_two_workers_do_not_do_the_same(keys: Keyring, actor: Cast, app: Flask) -> None:
    runs.ask(actor("carol"))
    worked: list[bool] = []

    def work() -> None:
        with app.app_context():
            worked.append(runs.work(keys))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(worked) == [False, False, False, True]


def test_only_who_sees_all_verifies(keys: Keyring, actor: Cast) -> None:
    number = runs.ask(actor("dave"))
    for name in ("alice", "paula"):
        for call in (
            runs.ask,
            runs.latest,
            lambda who: runs.get(who, number),
            lambda who: runs.cancel(who, number),
        ):
            with pytest.raises(NotAllowed):
                call(actor(name))
        with pytest.raises(NotAllowed):
            live_at(actor(name), now_us())
    with pytest.raises(NotFound):
        runs.get(actor("carol"), number + 1)
    with pytest.raises(InvalidInput):
        runs.ask(actor("carol"), "nonsense")


def test_one_that_fails_says_so(keys: Keyring, actor: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    number = runs.ask(actor("carol"))
    monkeypatch.setattr(runs, "verify", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runs.work(keys)
    assert runs.get(actor("carol"), number).state == "failed"


def test_what_was_live_follows_the_events(keys: Keyring, actor: Cast) -> None:
    published = {line.model: line for line in live_at(actor("carol"), now_us())}
    assert {name: line.version for name, line in published.items()} == {
        "iris": "1",
        "diabetes": "1",
        "purchase": "1",
    }
    before = now_us()
    with transaction() as current:
        audit.append(current, "publish", None, {"model": "iris", "version": 2, "live": False})
    with transaction() as current:
        audit.append(current, "promote", actor("paula").id, {"model": "iris", "version": 2, "live": True})
    now = {line.model: line for line in live_at(actor("carol"), now_us())}
    assert (now["iris"].version, now["iris"].kind, now["iris"].by) == ("2", "promote", "paula")
    assert now["diabetes"] == published["diabetes"]
    assert {line.model: line for line in live_at(actor("carol"), before)} == published
    assert live_at(actor("carol"), published["iris"].at_us - 1) == []


def test_settings_are_noted_when_they_change(app: Flask) -> None:
    assert installation.note({"PORT": "5001"})
    assert not installation.note({"PORT": "5001"})
    assert installation.note({})
    assert not installation.note({})
    facts = [event.facts for event in session().query(Event).filter_by(kind="settings").order_by(Event.seq)]
    assert facts == ['{"settings":{"PORT":"5001"}}', '{"settings":{}}']
