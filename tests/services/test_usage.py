"""How much versions were asked: exact counts, latencies within a bin, and a cost that does not grow with the record."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.records import NOON, SECOND, Ledger, queries
from webapp.db import Prediction
from webapp.db.base import session
from webapp.errors import NotFound
from webapp.services import model_access, rollups
from webapp.services.rollups.bins import LATENCY_ERROR
from webapp.services.usage import usage

DAY = 86_400 * SECOND


@pytest.fixture
def ledger(app: Flask) -> Ledger:
    return Ledger(session())


def test_versions_are_told_apart_and_every_record_is_counted(ledger: Ledger) -> None:
    for day in (0, 1, 9, 40):
        ledger.write(created_us=NOON + day * DAY, latency_us=1000)
    ledger.write(version=2, created_us=NOON, latency_us=5000)
    ledger.write(model="diabetes")
    ledger.write(created_us=NOON + 50 * DAY, channel="shadow")
    for _ in range(2):  # before the counts are kept ready, and after
        second, first = usage(ledger.actors["dave"], "iris")
        assert (first.version, first.answers) == ("1", 4)
        assert (second.version, second.answers) == ("2", 1)
        assert abs(first.latency_us - 4000) <= 4000 * LATENCY_ERROR + 2
        assert first.last_us is not None
        assert 0 <= NOON + 40 * DAY - first.last_us < 900 * SECOND
        assert usage(ledger.actors["dave"], "iris", "2") == [second]
        rollups.refresh(NOON + 60 * DAY)


def test_others_are_not_counted_for_who_sees_only_their_own(ledger: Ledger) -> None:
    for user in ("alice", "bob", "bob"):
        ledger.write(user=user)
    rollups.refresh(NOON + 60 * DAY)
    told = {name: usage(ledger.actors[name], "iris", "1")[0] for name in ("alice", "bob", "carol")}
    assert {name: one.answers for name, one in told.items()} == {"alice": 1, "bob": 2, "carol": 3}
    last = told["bob"].last_us
    assert last is not None and 0 <= NOON + 2 * SECOND - last < 3600 * SECOND


def test_a_version_that_was_never_asked_is_told_with_zero(ledger: Ledger) -> None:
    [second, first] = usage(ledger.actors["dave"], "iris")
    assert (first.answers, first.latency_us, first.last_us) == (0, 0, None)
    assert second.answers == 0


def test_what_is_not_there_is_not_found(ledger: Ledger) -> None:
    for model, version in (("absent", None), ("iris", "9"), ("iris", "x")):
        with pytest.raises(NotFound):
            usage(ledger.actors["dave"], model, version)
    model_access.change("iris", restricted=True, people=["bob"], actor=None)
    with pytest.raises(NotFound):
        usage(ledger.actors["alice"], "iris")


def test_the_cost_does_not_grow_with_the_record(ledger: Ledger) -> None:
    made = []
    for n in (1, 30):
        for i in range(n):
            ledger.write(created_us=NOON + i * DAY // 10)
        rollups.refresh(NOON + 60 * DAY)
        with queries() as statements:
            assert usage(ledger.actors["dave"], "iris")[-1].answers >= n
        records = Prediction.__tablename__
        tail = [text for text, _ in statements if f"FROM {records}" in text and "max(" not in text]
        assert tail == []  # all of them are in the counts kept ready
        made.append(len(statements))
    assert made[0] == made[1] <= 20
