from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.records import Ledger, queries
from tests.services.test_rollups import scatter
from tests.web.conftest import Browser
from webapp.db import Failure
from webapp.db.base import session
from webapp.extensions import cache
from webapp.services import rollups
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
    page = browser("alice").get("/").text
    assert "No predictions in this period" in page
    assert "/api/v1/models/iris/predict" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("period=nonsense", "“Period” must be one of hour, day"),
        ("channel=fax", "“Channel” must be one of form"),
        ("version=x&model=iris", "“Version” must be the number of a version"),
        ("version=1", "“Version” needs a model beside it"),
        ("label=setosa", "“label” is not a filter of the dashboard"),
        ("nonsense=1", "“nonsense” is not a filter of the dashboard"),
        ("from=yesterday", "“From (UTC)” must be a date or time"),
        ("from=2026-02-01&to=2026-01-01", "“From (UTC)” is after the end of the period"),
    ],
)
def test_what_is_not_understood_is_said(browser: Open, query: str, said: str) -> None:
    answer = browser("alice").get(f"/?{query}")
    assert answer.status_code == 422
    assert said in answer.text
    assert browser("alice").get(f"/charts/answers.csv?{query}").status_code == 422


@pytest.mark.parametrize(
    ("query", "records"),
    [
        ("period=week", 4),
        ("period=week&model=iris", 3),
        ("period=week&model=iris&version=1", 3),
        ("period=week&channel=api", 1),
        ("period=week&user=bob", 2),
        ("period=week&user=nobody", 0),
        ("period=hour&user=alice", 1),
    ],
)
def test_every_filter_of_the_address_is_applied(
    browser: Open, ledger: Ledger, query: str, records: int
) -> None:
    lately = now_us() - 1_000_000
    ledger.write("alice", created_us=lately)
    ledger.write("bob", created_us=lately, channel="api")
    ledger.write("bob", "diabetes", created_us=lately)
    ledger.write("alice", created_us=lately - 3 * 86_400_000_000)
    assert figures(browser("carol"), query)[:1] == ([str(records)] if records else [])


def test_a_period_of_the_past_ends_when_it_says(browser: Open, ledger: Ledger) -> None:
    for _ in range(2):
        ledger.write()  # at noon of 1 January 2026
    carol = browser("carol")
    assert figures(carol, "from=2026-01-01&to=2026-01-01")[0] == "2"
    assert figures(carol, "from=2026-01-02&to=2026-01-02") == ["0", "–", "–", "0"]
    page = carol.get("/?from=2026-01-01&to=2026-01-01").text
    assert 'aria-current="true"' not in page


def test_links_to_periods_keep_the_other_filters(browser: Open) -> None:
    page = browser("carol").get("/?model=iris&channel=api&from=2026-01-01").text
    assert 'href="/?model=iris&amp;channel=api&amp;period=week"' in page


def test_errors_are_left_out_where_they_are_not_counted(browser: Open, ledger: Ledger) -> None:
    ledger.write(created_us=now_us() - 1_000_000)
    page = browser("carol").get("/?user=alice").text
    assert "Errors are counted by model only" in page
    assert len(figures(browser("carol"), "user=alice")) == 3


def test_each_chart_can_be_taken_as_csv(browser: Open, ledger: Ledger) -> None:
    ledger.write(created_us=now_us() - 1_000_000, label="=setosa")
    carol = browser("carol")
    page = carol.get("/?model=iris&period=hour").text
    for name in ("answers", "latency", "errors", "distribution", "channels"):
        address = f"/charts/{name}.csv?model=iris&period=hour"
        assert (address.replace("&", "&amp;") in page) == (name != "errors")
        answer = carol.get(address)
        assert answer.mimetype == "text/csv"
    lines = carol.get("/charts/answers.csv?model=iris&period=hour").text.splitlines()
    assert lines[0] == '"from","\'=setosa"'
    assert sum(int(line.split(",")[1]) for line in lines[1:]) == 1
    assert len(lines) == 61
    assert carol.get("/charts/nothing.csv").status_code == 404


def test_a_chart_as_csv_holds_what_its_reader_may_see(browser: Open, ledger: Ledger) -> None:
    ledger.write("bob", created_us=now_us() - 1_000_000)
    assert browser("alice").get("/charts/channels.csv").text.splitlines() == ['"channel","predictions"']
    assert browser("alice").get("/charts/errors.csv").status_code == 404


def test_a_look_costs_no_more_with_many_records(browser: Open, ledger: Ledger) -> None:
    """The same queries, and of the records themselves none: `bench dashboard` tells the time they take."""
    carol, made = browser("carol"), []
    carol.get("/")
    for more in (3, 3_000):
        scatter(ledger, Random(more), more, days=30)
        rollups.refresh()
        with queries() as statements:
            for period in home.PERIODS:
                assert carol.get(f"/?period={period}").status_code == 200
        made.append(len(statements))
        assert not [text for text, _ in statements if "predictions.latency_us" in text]
    assert made[0] == made[1]


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
