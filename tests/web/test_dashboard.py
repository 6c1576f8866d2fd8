from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.records import Ledger
from tests.web.conftest import Browser
from webapp.db import Failure
from webapp.db.base import session
from webapp.extensions import cache
from webapp.services.clock import now_us
from webapp.web import home

Open = Callable[[str], Browser]


def figures(browser: Browser, query: str = "") -> list[str]:
    """What the cards say: predictions, warnings, latency and, for some, errors."""
    page = browser.get(f"/?{query}").text
    return [part.split("</div>")[0] for part in page.split('<div class="figure">')[1:]]


def fail(model: str | None, count: int) -> None:
    ids = {name: version.model_id for (name, _), version in Ledger(session()).versions.items()}
    session().add(
        Failure(minute_us=now_us(), model_id=model and ids[model], kind="InvalidInput", count=count)
    )
    session().commit()


def test_the_dashboard_counts_what_was_asked(browser: Open, ledger: Ledger) -> None:
    for label in ("setosa", "setosa", "virginica"):
        ledger.write(label=label, created_us=now_us() - 1_000_000)
    page = browser("alice").get("/?model=iris&period=hour").text
    assert '<div class="figure">3</div>' in page
    assert "up from 0 in the period before" in page
    assert page.count('class="chart-data"') == 4
    assert page.count("<details open>") == 4


def test_an_empty_dashboard_says_how_to_begin(browser: Open) -> None:
    page = browser("alice").get("/?period=nonsense").text
    assert "No predictions in this period" in page


def test_errors_are_a_fourth_card_with_a_chart_for_those_who_see_all(browser: Open, ledger: Ledger) -> None:
    ledger.write(created_us=now_us() - 1_000_000)
    fail("iris", 3)
    fail(None, 4)
    assert len(figures(browser("alice"))) == 3
    carol = browser("carol")
    assert figures(carol)[3] == "7"
    assert figures(carol, "model=iris")[3] == "3"
    assert "values refused" in carol.get("/").text


def test_errors_alone_fill_a_dashboard(browser: Open) -> None:
    fail(None, 2)
    assert figures(browser("dave")) == ["0", "–", "–", "2"]


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of records is as many as it takes to keep the figures."""
    monkeypatch.setattr(home, "FEW", 0)


@pytest.mark.usefixtures("many")
def test_figures_of_many_records_are_looked_up_once_in_a_while(browser: Open, ledger: Ledger) -> None:
    alice = browser("alice")
    ledger.write(created_us=now_us() - 1_000_000)
    assert figures(alice)[0] == "1"
    ledger.write(created_us=now_us() - 1_000_000)
    assert figures(alice)[0] == "1"
    cache.clear()
    assert figures(alice)[0] == "2"


def test_figures_of_few_records_are_looked_up_each_time(browser: Open, ledger: Ledger) -> None:
    alice = browser("alice")
    for n in range(3):
        assert figures(alice)[:1] == ([str(n)] if n else [])
        ledger.write(created_us=now_us() - 1_000_000)


@pytest.mark.usefixtures("many")
def test_figures_are_kept_no_longer_than_they_may_be(browser: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    monkeypatch.setattr(cache, "set", lambda _key, _value, timeout: kept.append(timeout))
    browser("alice").get("/")
    assert kept == [home.FRESH_S]


@pytest.mark.usefixtures("many")
def test_nobody_is_shown_the_figures_of_somebody_else(browser: Open, ledger: Ledger) -> None:
    for name, model in (("alice", "iris"), ("alice", "diabetes"), ("bob", "iris")):
        ledger.write(name, model, created_us=now_us() - 1_000_000)
    ledger.write("bob", created_us=now_us() - 7_200_000_000)
    people = {name: browser(name) for name in ("dave", "alice", "bob", "carol", "paula")}
    wanted = {"dave": 4, "carol": 4, "alice": 2, "bob": 2}
    for _ in range(2):
        for name, person in people.items():
            assert figures(person)[:1] == ([str(wanted[name])] if name in wanted else [])
        assert figures(people["bob"], "period=hour")[0] == "1"
        assert figures(people["alice"], "model=diabetes")[0] == "1"
        assert figures(people["dave"], "model=iris")[0] == "3"


@pytest.mark.usefixtures("many")
def test_somebody_who_loses_a_role_loses_its_figures_at_once(browser: Open, ledger: Ledger) -> None:
    ledger.write("alice", created_us=now_us() - 1_000_000)
    carol = browser("carol")
    assert figures(carol)[0] == "1"
    browser("dave").post("/admin/users/carol/role", {"role": "analyst"}, page="/admin/users")
    assert figures(carol) == []


def test_a_model_that_does_not_exist_is_not_looked_up(browser: Open) -> None:
    assert browser("alice").get("/?model=nothing").status_code == 404
