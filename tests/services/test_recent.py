from __future__ import annotations

import pytest

from tests.records import Ledger, queries
from webapp.services.predictions import recent as module
from webapp.services.predictions.recent import recent


def test_the_newest_of_ones_own_with_that_model_come_first(ledger: Ledger) -> None:
    mine = [ledger.write(), ledger.write(subject="case 7")]
    ledger.write("bob")
    ledger.write(model="diabetes")
    ledger.write(state="erased", inputs=None, subject=None)
    with queries() as asked:
        found = recent(ledger.actors["alice"], "iris")
    assert [r.id for r in found] == mine[::-1]
    assert (found[0].label, found[0].subject) == ("setosa", "case 7")
    assert len(asked) == 1


def test_no_more_of_somebodys_records_are_looked_at_than_a_few(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 2)
    ledger.write()
    for _ in range(2):
        ledger.write(model="diabetes")
    assert recent(ledger.actors["alice"], "iris") == []
    assert len(recent(ledger.actors["alice"], "diabetes", most=1)) == 1
