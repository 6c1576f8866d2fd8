"""CSV that a spreadsheet can be trusted with."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import ApiClient
from tests.records import Ledger
from tests.web.conftest import Browser
from webapp.db import Event, User
from webapp.db.base import session
from webapp.services import history
from webapp.services.cells import safe
from webapp.web import exports

Open = Callable[[str], Browser]


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
@pytest.mark.parametrize(
    "before", ["", " ", "\xa0", "x;", "x,", "x\t", "x\r", "x\n", "x; ", 'x;"', "x,\xa0", ",;"]
)
def test_a_sign_that_may_begin_a_cell_gets_an_apostrophe(before: str, sign: str) -> None:
    assert safe(f"{before}{sign}1") == f"{before}'{sign}1"


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx"])
def test_a_cell_does_not_begin_with_a_break(text: str) -> None:
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["", "plain", "a - b", "a=b", "e-mail@example.pt", "1;2", -1.5, -3, True, None]
)
def test_what_begins_no_formula_stays_as_it_is(value: object) -> None:
    assert safe(value) is value or safe(value) == value


def test_a_long_text_of_separators_takes_no_time() -> None:
    begun = time.process_time()
    safe("\n" * 200_000 + "x" + " " * 200_000)
    assert time.process_time() - begun < 1


def test_text_is_quoted_and_numbers_are_not(browser: Open, ledger: Ledger) -> None:
    ledger.write(inputs={"received": {"petal_length": -1.5}})
    heading, line = browser("alice").get("/predictions.csv?model=iris").text.splitlines()
    assert heading.startswith('"id","created_at"')
    assert '"setosa"' in line and ",-1.5," in line and ",1," in line


@pytest.mark.parametrize("text", ['say "no"', "a,b;c", "line\r\nline", "line\nline", "\u2028", '"', "ção 💧"])
def test_text_comes_back_as_it_was(browser: Open, ledger: Ledger, text: str) -> None:
    ledger.write(subject=text, inputs={"received": {"petal_length": text}})
    ledger.write()
    answer = browser("alice").get("/predictions.csv?model=iris").get_data(as_text=True)
    assert answer.endswith("\r\n")
    _, row = csv.DictReader(io.StringIO(answer, newline=""), strict=True)
    assert (row["subject"], row["input.petal_length"]) == (text, text)
    assert json.loads(row["inputs"]) == {"petal_length": text}


@pytest.mark.parametrize("us", [1_780_000_000_123_456, 1_780_000_000_000_000])
def test_times_are_written_as_the_api_writes_them(
    browser: Open, api: Callable[[str], ApiClient], ledger: Ledger, us: int
) -> None:
    ledger.write(created_us=us)
    [row] = csv.DictReader(io.StringIO(browser("alice").get("/predictions.csv").text))
    assert row["created_at"] == api("alice")("GET", "/predictions")[1]["data"][0]["created_at"]
    assert row["created_at"].endswith("Z")


@pytest.mark.parametrize("path", ["/predictions", "/predictions.csv", "/audit/print"])
@pytest.mark.parametrize(
    "query",
    [
        "from=0001-01-01T00:00:00%2B14:00",
        "from=9999-12-31T23:59:59-14:00",
        "to=0001-01-01T00:00:00",
        "to=9999-12-31",
    ],
)
def test_an_impossible_time_is_explained_on_the_page(browser: Open, path: str, query: str) -> None:
    answer = browser("alice").get(f"{path}?{query}")
    assert answer.status_code == 422
    assert "1970 to 9998" in answer.text


def events(*kinds: str) -> list[tuple[str, dict[str, Any]]]:
    """Kind and facts of the newest events of these kinds, oldest first."""
    session().rollback()
    rows = session().query(Event).filter(Event.kind.in_(kinds)).order_by(Event.seq)
    return [(row.kind, json.loads(row.facts or "{}")) for row in rows]


def test_a_file_holds_the_columns_chosen(browser: Open, ledger: Ledger) -> None:
    record = ledger.write(inputs={"received": {"petal_length": 1.5}})
    path = "/predictions.csv?model=iris&columns=score&columns=answer&columns=input.petal_length"
    [row] = csv.DictReader(io.StringIO(browser("alice").get(path).text))
    assert list(row) == ["id", "created_at", "prediction", "unit", "label", "score", "input.petal_length"]
    assert (row["id"], row["label"], row["input.petal_length"]) == (record, "setosa", "1.5")


@pytest.mark.parametrize(
    "words", ["columns=anser", "columns=input.petal_length", "model=iris&columns=input.age"]
)
def test_a_file_is_not_made_without_a_column_that_was_asked_for(browser: Open, words: str) -> None:
    assert browser("alice").get(f"/predictions.csv?{words}").status_code == 422


def test_parquet_holds_the_same_with_types(browser: Open, ledger: Ledger) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    ledger.write(inputs={"received": {"petal_length": 1.5}}, subject="=1", created_us=1_780_000_000_123_456)
    ledger.write(inputs=None, output=None, salts=None, state="erased", label=None, score=None)
    answer = browser("alice").get("/predictions.parquet?model=iris")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="predictions.parquet"'
    table = parquet.read_table(io.BytesIO(answer.data))
    assert [
        str(table.schema.field(n).type) for n in ("created_at", "score", "version", "input.petal_length")
    ] == [
        "timestamp[us, tz=UTC]",
        "double",
        "int64",
        "double",
    ]
    erased, row = sorted(table.to_pylist(), key=lambda row: row["state"] != "erased")
    assert (row["input.petal_length"], row["subject"], row["prediction"]) == (1.5, "=1", "setosa")
    assert row["created_at"].microsecond == 123456
    assert (erased["label"], erased["inputs"]) == (None, None)


def test_parquet_comes_a_group_at_a_time() -> None:
    pytest.importorskip("pyarrow")
    columns = {"id": exports.FIELDS["id"]}
    taken = 0

    def records() -> Iterator[Any]:
        nonlocal taken
        for n in range(3 * exports.GROUP):
            taken += 1
            yield SimpleNamespace(id=f"pred_{n}")

    body = exports.parquet(records(), columns, ())
    next(body)
    assert taken == exports.GROUP


def test_without_pyarrow_there_is_no_parquet(browser: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "find_spec", lambda _name: None)
    alice = browser("alice")
    answer = alice.get("/predictions.parquet")
    assert answer.status_code == 404
    assert "parecer[parquet]" in answer.text
    assert "/predictions.parquet" not in alice.get("/predictions").text


def test_what_is_taken_away_is_on_the_audit_log(browser: Open, ledger: Ledger) -> None:
    for _ in range(3):
        ledger.write()
    alice = browser("alice")
    alice.get("/predictions.csv?label=setosa&columns=score")
    alice.client.head("/predictions.csv")
    (begun, facts), (ended, sums) = events("export", "export-ended")
    assert (begun, ended) == ("export", "export-ended")
    assert facts == {"format": "csv", "filter": {"label": "setosa"}, "columns": ["when", "score"]}
    assert (sums["records"], sums["whole"]) == (3, True)
    assert sums["export"].startswith("evt_")


def test_what_is_printed_is_on_the_audit_log(browser: Open, ledger: Ledger) -> None:
    record, carol = ledger.write(), browser("carol")
    page = carol.get("/audit/print?label=setosa").text
    carol.get(f"/predictions/{record}/print")
    carol.client.head("/audit/print")
    assert [facts for _, facts in events("print")] == [
        {"what": "report", "filter": {"label": "setosa"}, "records": 1},
        {"what": "record", "record": record},
    ]
    assert session().query(Event).filter_by(kind="print").first().id in page  # type: ignore[union-attr]


def test_an_export_whose_reader_loses_access_breaks_off(
    browser: Open, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CHUNK", 2)
    for _ in range(5):
        ledger.write()
    alice, recheck = browser("alice"), history.recheck

    def lost(who: Any) -> Any:
        session().query(User).filter_by(username="alice").update({User.stamp: User.stamp + 1})
        session().commit()
        return recheck(who)

    monkeypatch.setattr(history, "recheck", lost)
    with pytest.raises(ConnectionResetError):
        alice.get("/predictions.csv")
    assert [(facts["records"], facts["whole"]) for _, facts in events("export-ended")] == [(2, False)]
