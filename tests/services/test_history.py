from __future__ import annotations

import pytest

from tests.records import NOON, SECOND, Ledger, queries
from webapp.db import User
from webapp.errors import InvalidInput, Malformed, NotFound, NotSignedIn
from webapp.extensions import db
from webapp.services import history, rollups, totals
from webapp.services.history import Filters, Page
from webapp.services.people import Actor

ALL = Filters()
KEY = "a key for cursors that is long enough"


def search(actor: Actor, filters: Filters = ALL, limit: int = 10, cursor: str | None = None) -> Page:
    return history.search(actor, filters, limit=limit, key=KEY, cursor=cursor)


def ids(page: Page) -> list[str]:
    return [record.id for record in page.records]


def test_the_newest_record_comes_first(ledger: Ledger) -> None:
    first, second = ledger.write(), ledger.write()
    assert ids(search(ledger.actors["alice"])) == [second, first]


def test_records_of_one_microsecond_keep_the_order_they_were_stored_in(ledger: Ledger) -> None:
    stored = [ledger.write(created_us=NOON) for _ in range(3)]
    assert ids(search(ledger.actors["alice"])) == stored[::-1]


@pytest.mark.parametrize(("name", "sees"), [("alice", 1), ("paula", 1), ("carol", 3), ("dave", 3)])
def test_analysts_and_publishers_see_only_their_own(ledger: Ledger, name: str, sees: int) -> None:
    for user in ("alice", "bob", "paula"):
        ledger.write(user)
    assert len(search(ledger.actors[name]).records) == sees
    assert totals.count(ledger.actors[name], ALL).records == sees


def test_asking_for_somebody_else_by_name_finds_nothing(ledger: Ledger) -> None:
    ledger.write("bob")
    assert search(ledger.actors["alice"], Filters(user="bob")).records == []


def test_a_foreign_record_looks_like_an_absent_one(ledger: Ledger) -> None:
    foreign = ledger.write("bob")
    said = []
    for record_id in (foreign, "pred_nothing", "pred_\0", ""):
        with pytest.raises(NotFound) as error:
            history.get(ledger.actors["alice"], record_id)
        said.append(error.value.detail)
    assert len(set(said)) == 1


def test_a_record_tells_what_was_asked_and_answered(ledger: Ledger) -> None:
    received = {"petal_length": 9.1}
    warning = {"feature": "petal_length", "kind": "outside_range", "detail": "outside 1.0–6.9 cm"}
    stored = ledger.write(
        version=2,
        subject="case 7",
        warnings=[warning],
        inputs={"received": received, "used": {**received, "petal_width": 1}, "defaulted": ["petal_width"]},
    )
    record = history.get(ledger.actors["alice"], stored)
    assert (record.model, record.version, record.label, record.user) == ("iris", "2", "setosa", "alice")
    assert (record.inputs, record.used) == (received, {**received, "petal_width": 1})
    assert (record.defaulted, record.warnings, record.subject) == (["petal_width"], [warning], "case 7")
    assert record.timings == {"model": 40}


def test_an_erased_record_still_opens(ledger: Ledger) -> None:
    stored = ledger.write(inputs=None, output=None, salts=None, state="erased")
    record = history.get(ledger.actors["alice"], stored)
    assert (record.inputs, record.used, record.warnings, record.state) == (None, None, [], "erased")


@pytest.mark.parametrize(
    "filters",
    [
        Filters(model="diabetes"),
        Filters(version=2),
        Filters(label="virginica"),
        Filters(user="bob"),
        Filters(channel="api"),
        Filters(subject="case 7"),
        Filters(since_us=NOON + 100 * SECOND),
        Filters(until_us=NOON),
        Filters(q="ASE 7"),
        Filters(q="rgini"),
        Filters(q="OUTH-w"),
        Filters(q="2.75"),
        Filters(q="tru"),
        Filters(q='"q\\'),
        Filters(model="diabetes", user="bob", channel="api", q="7"),
    ],
)
def test_each_filter_finds_its_record_and_leaves_the_others(ledger: Ledger, filters: Filters) -> None:
    ledger.write()
    odd = ledger.write(
        "bob",
        "diabetes",
        2,
        label="virginica",
        channel="api",
        subject="case 7",
        inputs={"received": {"petal_width": 2.75, "wind": "south-west", "calm": True, "note": '"q\\"'}},
        created_us=filters.since_us or NOON - SECOND,
    )
    assert ids(search(ledger.actors["carol"], filters)) == [odd]


def test_a_part_of_an_id_finds_records_from_its_beginning_only(ledger: Ledger) -> None:
    stored = ledger.write()
    assert ids(search(ledger.actors["alice"], Filters(q=stored[:20]))) == [stored]
    assert ids(search(ledger.actors["alice"], Filters(q="red_0000"))) == []


@pytest.mark.parametrize("q", ["received", "petal", "defaulted", "{", '"', ":", '":1'])
def test_a_search_looks_at_values_and_not_at_how_they_are_kept(ledger: Ledger, q: str) -> None:
    ledger.write(inputs={"received": {"petal_length": 1.4, "wet": True}, "defaulted": ["petal_width"]})
    ledger.write(inputs=None, output=None, salts=None, state="erased")
    assert search(ledger.actors["alice"], Filters(q=q)).records == []


@pytest.mark.parametrize("window", [1, 3, 10, 20_000])
def test_a_search_looks_at_some_records_at_a_time_and_misses_none(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(history, "WINDOW", window)
    breaths: list[float] = []
    monkeypatch.setattr("time.sleep", breaths.append)
    stored = [ledger.write(subject="case 7" if n % 3 else None, created_us=NOON + n // 2) for n in range(10)]
    wanted = [stored[n] for n in range(9, -1, -1) if n % 3]
    seven, carol = Filters(q="case 7"), ledger.actors["carol"]
    assert [r.id for r in history.export(carol, seven)] == wanted
    found, cursor = [], None
    while True:
        page = history.search(carol, seven, limit=2, key="k", cursor=cursor)
        found += [r.id for r in page.records]
        if not page.has_more:
            break
        cursor = page.next_cursor
    assert found == wanted
    breaths.clear()
    assert history.search(carol, Filters(q="case 8"), limit=2, key="k").records == []
    assert len(breaths) == (10 // window)


@pytest.mark.parametrize("q", ["%", "_", "\\", "100%"])
def test_wildcards_in_a_search_mean_themselves(ledger: Ledger, q: str) -> None:
    ledger.write(inputs={"received": {"length": 1}})
    assert search(ledger.actors["alice"], Filters(q=q)).records == []


def test_cursors_walk_through_every_record_once(ledger: Ledger) -> None:
    stored = [ledger.write(created_us=NOON + i // 3) for i in range(8)]
    seen, cursor = [], None
    while True:
        page = search(ledger.actors["alice"], limit=3, cursor=cursor)
        seen += ids(page)
        cursor = page.next_cursor
        if not page.has_more:
            break
    assert (seen, cursor) == (stored[::-1], None)


@pytest.mark.parametrize("window", [1, 3, 20_000])
@pytest.mark.parametrize("filters", [ALL, Filters(q="case 7")])
def test_cursors_lead_back_to_the_page_before(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, window: int, filters: Filters
) -> None:
    monkeypatch.setattr(history, "WINDOW", window)
    alice = ledger.actors["alice"]
    wanted = [ledger.write(subject="case 7", created_us=NOON + i // 3) for i in range(7)][::-1]
    ledger.write("bob", subject="case 7")
    pages = [search(alice, filters, limit=3)]
    while pages[-1].next_cursor:
        pages.append(search(alice, filters, limit=3, cursor=pages[-1].next_cursor))
    assert [ids(page) for page in pages] == [wanted[:3], wanted[3:6], wanted[6:]]
    back = search(alice, filters, limit=3, cursor=pages[2].prev_cursor)
    assert (ids(back), back.has_more) == (wanted[3:6], True)
    newest = search(alice, filters, limit=3, cursor=back.prev_cursor)
    assert (ids(newest), newest.prev_cursor, pages[0].prev_cursor) == (wanted[:3], None, None)
    assert ids(search(alice, filters, limit=3, cursor=newest.next_cursor)) == wanted[3:6]


def test_a_record_written_meanwhile_does_not_shift_the_next_page(ledger: Ledger) -> None:
    stored = [ledger.write() for _ in range(4)]
    page = search(ledger.actors["alice"], limit=2)
    ledger.write()
    assert ids(search(ledger.actors["alice"], limit=2, cursor=page.next_cursor)) == stored[1::-1]


def test_an_offset_skips_records(ledger: Ledger) -> None:
    stored = [ledger.write() for _ in range(3)]
    page = history.search(ledger.actors["alice"], ALL, limit=2, key=KEY, offset=2)
    assert (ids(page), page.has_more) == ([stored[0]], False)


def test_a_cursor_serves_only_the_search_it_was_given_for(ledger: Ledger) -> None:
    for user in ("alice", "alice", "bob", "bob"):
        ledger.write(user)
    cursor = search(ledger.actors["alice"], limit=1).next_cursor
    assert cursor
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "E")  # B would spell the same bytes
    for actor, filters, given in (
        ("bob", ALL, cursor),
        ("alice", Filters(label="setosa"), cursor),
        ("alice", ALL, flipped),
        ("alice", ALL, "1.1"),
        ("alice", ALL, "é"),
    ):
        with pytest.raises(Malformed):
            search(ledger.actors[actor], filters, cursor=given)


def test_totals_are_those_of_the_filter(ledger: Ledger) -> None:
    warning = {"feature": "petal_length", "kind": "missing", "detail": "-"}
    ledger.write(warnings=[warning, warning])
    ledger.write(label="virginica")
    ledger.write(label="virginica", channel="api")
    ledger.write(model="diabetes")
    counted = totals.count(ledger.actors["carol"], Filters(channel="form"))
    assert (counted.records, counted.warned, counted.capped) == (3, 1, False)
    assert counted.classes["iris"] == {"setosa": 1, "virginica": 1}


def test_totals_can_stop_at_a_bound(ledger: Ledger) -> None:
    for label in ("old", "new", "new"):
        ledger.write(label=label)
    counted = totals.count(ledger.actors["alice"], ALL, at_most=2)
    assert (counted.records, counted.labels, counted.capped) == (2, {"new": 2}, True)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"model": "iris"},
        {"model": "iris", "version": "2"},
        {"label": "setosa"},
        {"user": "alice"},
        {"channel": "api"},
        {"warned": "yes"},
        {"warned": "no"},
        {"warned": "yes", "label": "virginica"},
        {"from": "2026-01-01T13:00:00Z"},
        {"to": "2026-01-01"},
        {"subject": "case 7"},
        {"from": "2026-01-01T12:00:03Z"},
    ],
)
@pytest.mark.parametrize("name", ["alice", "carol"])
@pytest.mark.parametrize("rolled", [True, False])
def test_totals_kept_ready_are_those_that_counting_gives(
    ledger: Ledger, words: dict[str, str], name: str, rolled: bool
) -> None:
    warning = {"feature": "petal_length", "kind": "missing", "detail": "-"}
    ledger.write(warnings=[warning])
    ledger.write(label="virginica", warnings=[warning, warning], version=2)
    ledger.write(label="virginica", channel="api", subject="case 7")
    ledger.write("bob", "diabetes", created_us=NOON + 7200 * SECOND)
    if rolled:
        rollups.refresh()
    ledger.write(created_us=NOON + 7201 * SECOND)
    filters = Filters.read(words)
    assert totals.totals(ledger.actors[name], filters, at_most=100) == totals.count(
        ledger.actors[name], filters
    )


def test_an_export_crosses_chunks_and_misses_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "CHUNK", 3)
    stored = [ledger.write(created_us=NOON + i // 2) for i in range(8)]
    ledger.write("bob")
    breaths: list[float] = []
    monkeypatch.setattr("time.sleep", breaths.append)  # others of the process have their turn meanwhile
    assert [r.id for r in history.export(ledger.actors["alice"], ALL)] == stored[::-1]
    assert len(breaths) == 3 and min(breaths) > 0


def test_an_export_ends_with_the_access_of_its_reader(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CHUNK", 3)
    for _ in range(8):
        ledger.write()
    export = history.export(ledger.actors["carol"], ALL)
    next(export)
    db.session.query(User).filter_by(username="carol").update({User.stamp: User.stamp + 1})
    db.session.commit()
    read = 1
    with pytest.raises(NotSignedIn):
        for _ in export:
            read += 1
    assert read == 3


@pytest.mark.parametrize("rows", [2, 8])
def test_more_records_cost_no_more_queries(ledger: Ledger, rows: int) -> None:
    for _ in range(rows):
        ledger.write()
    with queries() as made:
        search(ledger.actors["carol"], limit=rows)
        totals.count(ledger.actors["carol"], ALL)
    assert len(made) == 2


@pytest.mark.parametrize("filters", [ALL, Filters(model="iris"), Filters(since_us=NOON)])
def test_a_page_is_read_from_an_index_in_order(ledger: Ledger, filters: Filters) -> None:
    if db.engine.dialect.name != "sqlite":
        return  # a planner with statistics rightly sorts a table of no rows
    for name in ("alice", "carol"):
        with queries() as made:
            search(ledger.actors[name], filters)
        (statement, parameters), connection = made[0], db.session.connection()
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
        assert not [step for *_, step in plan if "TEMP B-TREE" in step]


def test_filters_are_read_from_a_query() -> None:
    query = {"model": "iris", "version": "3", "from": "2026-01-01", "to": "2026-01-01", "page": "9"}
    read = Filters.read(query, besides={"page"})
    assert read == Filters(
        model="iris", version=3, since_us=NOON - 43_200 * SECOND, until_us=NOON + 43_200 * SECOND
    )


def test_a_time_with_a_zone_is_turned_into_utc() -> None:
    assert Filters.read({"to": "2026-01-01T09:00:00.5-03:00"}).until_us == NOON + SECOND // 2


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-01-02", "2026-01-01"),
        ("2026-01-02T00:00:00Z", "2026-01-01"),
        ("2026-01-01T09:00:01Z", "2026-01-01T09:00:00Z"),
    ],
)
def test_a_beginning_after_the_end_is_refused(since: str, until: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Filters.read({"from": since, "to": until})
    assert [p.pointer for p in caught.value.problems] == ["#/from"]


@pytest.mark.parametrize("until", ["2026-01-01T09:00:00Z", "2026-01-01"])
def test_a_period_may_be_empty_or_a_part_of_a_day(until: str) -> None:
    assert Filters.read({"from": "2026-01-01T09:00:00Z", "to": until})


@pytest.mark.parametrize(
    ("word", "text"),
    [
        *(("version", text) for text in ("x", "²", "-1", "9" * 10)),
        *(("from", "soon"), ("to", "soon")),
        *(("q", "a\0b"), ("model", "m" * 201), ("label", "\ud800")),
    ],
)
def test_a_filter_that_can_not_be_understood_is_named(word: str, text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Filters.read({word: text})
    assert [p.pointer for p in error.value.problems] == [f"#/{word}"]


@pytest.mark.parametrize("word", ["from", "to"])
@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00",
        "1970-01-01T00:00:00+00:01",
        "9998-12-31T23:59:59-14:00",
        "9999-12-31",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_times_near_the_ends_of_time_are_refused_with_the_years(word: str, text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Filters.read({word: text})
    assert "1970 to 9998" in error.value.problems[0].detail


def test_the_first_and_the_last_day_can_be_asked_for() -> None:
    read = Filters.read({"from": "1970-01-01", "to": "9998-12-31"})
    assert (read.since_us, read.until_us) == (0, 253_370_764_800 * SECOND)


@pytest.mark.parametrize("text", [" a ", "a\u200fb", "a\xa0b", "a\nb", "\ue000"])
def test_a_label_is_asked_for_as_it_was_given(ledger: Ledger, text: str) -> None:
    stored = ledger.write(label=text)
    assert ids(search(ledger.actors["alice"], Filters.read({"label": text}))) == [stored]
