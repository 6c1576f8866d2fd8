from __future__ import annotations

import pytest

from tests.records import Ledger, queries
from webapp.db.base import session
from webapp.services.predictions import recent as module
from webapp.services.predictions.recent import recent


def test_the_newest_of_ones_own_with_that_model_come_first(ledger: Ledger) -> None:
    mine = [ledger.write(), ledger.write(subject="case 7")]
    ledger.write("bob")
    ledger.write(model="diabetes")
    ledger.write(state="erased", inputs=None, subject=None)
    for channel in ("batch", "api"):
        ledger.write(channel=channel)
    with queries() as asked:
        found = recent(ledger.actors["alice"], "iris")
    assert [r.id for r in found] == mine[::-1]
    assert (found[0].label, found[0].subject) == ("setosa", "case 7")
    assert len(asked) == 1


def test_what_programs_and_batches_asked_is_not_even_read(ledger: Ledger) -> None:
    if session().get_bind().dialect.name != "sqlite":
        return  # a planner with statistics rightly reads a table of no rows
    with queries() as asked:
        recent(ledger.actors["alice"], "iris")
    [(statement, parameters)] = asked
    plan = session().connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert any("ix_predictions_by_hand" in step[-1] for step in plan), plan


def test_no_more_of_somebodys_records_are_looked_at_than_a_few(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 2)
    ledger.write()
    for _ in range(2):
        ledger.write(model="diabetes")
    assert recent(ledger.actors["alice"], "iris") == []
    assert len(recent(ledger.actors["alice"], "diabetes", most=1)) == 1
