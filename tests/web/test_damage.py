"""The record outlives the model store: what a damaged version answered can still be read, printed and taken away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.records import Ledger
from tests.services.test_registry import DAMAGE
from tests.web.conftest import Browser
from tests.web.test_history import rows

Open = Callable[[str], Browser]
SENTENCE = "Version 1 of this model is not stored as it was published; names and units are missing here."

pytestmark = pytest.mark.parametrize("how", DAMAGE)


@pytest.fixture
def damage(app: Flask, how: str) -> Callable[[], object]:
    """Does it to iris, version 1."""
    path: Path = app.extensions["desk"].store.root / "iris" / "1" / "manifest.json"
    return lambda: DAMAGE[how](path)


@pytest.mark.parametrize("page", ["/predictions/{}", "/predictions/{}/print"])
def test_a_record_is_shown_as_recorded(
    browser: Open, asked: Callable[..., str], damage: Callable[[], object], page: str
) -> None:
    record, alice = asked("alice", petal_length="9.125"), browser("alice")
    assert SENTENCE not in alice.get(page.format(record)).text
    damage()
    answer = alice.get(page.format(record))
    assert (answer.status_code, SENTENCE in answer.text) == (200, True)
    assert "petal_length" in answer.text
    assert "9.125" in answer.text
    assert "Sepal width" not in answer.text


def test_the_dashboard_counts_its_answers(
    browser: Open, asked: Callable[..., str], damage: Callable[[], object]
) -> None:
    asked("alice")
    damage()
    page = browser("alice").get("/?model=iris")
    assert page.status_code == 200
    assert "setosa" in page.text
    assert "by class" in page.text


@pytest.mark.parametrize("path", ["/predictions", "/predictions?model=iris", "/audit/print?model=iris"])
def test_lists_of_records_go_on(
    browser: Open, ledger: Ledger, damage: Callable[[], object], path: str
) -> None:
    record = ledger.write()
    damage()
    answer = browser("carol").get(path)
    assert (answer.status_code, record in answer.text) == (200, True)


def test_csv_keeps_its_columns(
    browser: Open, asked: Callable[..., str], damage: Callable[[], object]
) -> None:
    asked("alice")
    before = browser("alice").get("/predictions.csv?model=iris")
    damage()
    after = browser("alice").get("/predictions.csv?model=iris")
    assert (after.status_code, after.text) == (200, before.text)
    assert rows(after.text)[0]["input.petal_length"] == "1.4"


@pytest.mark.parametrize("path", ["/models/iris", "/models/iris/predict"])
def test_its_own_pages_say_that_it_is_not_ready(
    browser: Open, damage: Callable[[], object], path: str
) -> None:
    damage()
    answer = browser("alice").get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "restore it from a backup" in answer.text
    assert "Sepal width" not in answer.text


def test_the_other_models_go_on(browser: Open, damage: Callable[[], object]) -> None:
    damage()
    alice = browser("alice")
    for path in ("/models", "/models/diabetes", "/models/diabetes/predict"):
        assert alice.get(path).status_code == 200
    assert "/models/iris" in alice.get("/models").text
