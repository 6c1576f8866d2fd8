from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest

from tests.records import NOON, Ledger, queries
from tests.web.conftest import Browser
from webapp.web.history import ledger as page_of

Open = Callable[[str], Browser]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_an_empty_history_says_how_to_begin(browser: Open) -> None:
    page = browser("alice").get("/predictions").text
    assert "Nothing on the record yet" in page
    assert "curl" in page


def test_the_ledger_lists_one_line_a_record(browser: Open, ledger: Ledger) -> None:
    ids = [ledger.write(), ledger.write(label="virginica", subject="case 7")]
    page = browser("alice").get("/predictions").text
    assert all(f"/predictions/{i}" in page for i in ids)
    assert "case 7" in page
    assert "<b>2</b> records" in page


def test_filters_live_in_the_address_and_show_as_chips(browser: Open, ledger: Ledger) -> None:
    ledger.write(label="virginica")
    kept = ledger.write(channel="api")
    page = browser("alice").get("/predictions?label=setosa&channel=api").text
    assert kept in page
    assert "<b>1</b> record" in page
    assert 'href="/predictions?label=setosa"' in page
    assert 'href="/predictions?channel=api"' in page


def test_a_filter_that_can_not_be_understood_is_explained(browser: Open) -> None:
    answer = browser("alice").get("/predictions?from=yesterday&version=x")
    assert answer.status_code == 422
    assert "2026-03-31" in answer.text
    assert "number of a version" in answer.text


@pytest.mark.parametrize("path", ["/predictions", "/predictions.csv", "/audit/print"])
def test_a_beginning_after_the_end_is_told(browser: Open, path: str) -> None:
    answer = browser("carol").get(f"{path}?from=2026-02-01&to=2026-01-31")
    assert answer.status_code == 422
    assert "is after the end of the period" in answer.text


@pytest.mark.parametrize("path", ["/predictions", "/predictions.csv", "/audit/print"])
@pytest.mark.parametrize(("word", "hint"), [("modle", "did you mean “model”?"), ("x", "there are model,")])
def test_an_unknown_word_is_a_problem_with_a_hint(browser: Open, path: str, word: str, hint: str) -> None:
    answer = browser("carol").get(f"{path}?{word}=iris")
    assert answer.status_code == 422
    assert f"“{word}” is not a filter; {hint}" in answer.text


def test_the_filters_beside_a_wrong_one_stay_in_force(browser: Open, ledger: Ledger) -> None:
    other, kept = ledger.write(), ledger.write(label="virginica")
    page = browser("alice").get("/predictions?label=virginica&version=x&modle=iris").text
    assert kept in page
    assert other not in page
    assert 'name="label" value="virginica"' in page
    assert 'name="version" size="4" inputmode="numeric" value="x"' in page


def test_only_channels_that_exist_are_offered(browser: Open) -> None:
    options = browser("alice").get("/predictions").text.split('id="channel"')[1].split("</select>")[0]
    assert options.count("<option") == len({"all", "form", "what-if", "api", "batch"})


def test_a_forged_cursor_is_refused(browser: Open) -> None:
    assert browser("alice").get("/predictions?cursor=1.1.x").status_code == 400


def test_older_records_are_a_page_away(
    browser: Open, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of, "ROWS", 2)
    first, *_ = [ledger.write(label="setosa") for _ in range(3)]
    alice = browser("alice")
    page = alice.get("/predictions?label=setosa").text
    older = page.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert first not in page
    assert first in alice.get(older).text
    assert "label=setosa" in older


@pytest.mark.parametrize("path", ["/predictions/{}", "/predictions/{}/print"])
def test_a_foreign_record_is_not_found(browser: Open, ledger: Ledger, path: str) -> None:
    foreign = ledger.write("bob")
    alice = browser("alice")
    answers = [alice.get(path.format(i)) for i in (foreign, "pred_nothing")]
    assert [a.status_code for a in answers] == [404, 404]
    assert browser("carol").get(path.format(foreign)).status_code == 200


def test_a_record_page_tells_everything(browser: Open, asked: Callable[..., str]) -> None:
    record = asked("alice", petal_length="9.1")
    page = browser("alice").get(f"/predictions/{record}").text
    for said in (
        record,
        "setosa",
        "virginica",
        "9.1",
        "outside",
        "version 1",
        "alice, analyst, through form",
    ):
        assert said in page
    assert page.count("SHA-256") == 2


def test_a_reference_is_called_so_on_every_page(browser: Open, ledger: Ledger) -> None:
    record, carol = ledger.write(subject="case 7"), browser("carol")
    for path in (f"/predictions/{record}", f"/predictions/{record}/print", "/audit/print"):
        assert ">Reference<" in carol.get(path).text
    assert "reference case 7" in carol.get("/predictions?subject=case+7").text


def test_an_erased_record_still_opens(browser: Open, ledger: Ledger) -> None:
    record = ledger.write(inputs=None, output=None, salts=None, state="erased", label=None, score=None)
    page = browser("alice").get(f"/predictions/{record}")
    assert page.status_code == 200
    assert "has been erased" in page.text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_what_people_write_is_never_markup(browser: Open, ledger: Ledger, text: str) -> None:
    record = ledger.write(subject=text, label=text, inputs={"received": {"sepal_length": text, text: text}})
    carol = browser("carol")
    for path in (
        "/predictions",
        f"/predictions/{record}",
        f"/predictions/{record}/print",
        "/audit/print",
        "/?model=iris",
    ):
        assert text not in carol.get(path).text


def test_numbers_stay_numbers_in_csv_and_formulas_become_text(browser: Open, ledger: Ledger) -> None:
    for subject in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "plain"):
        ledger.write(subject=subject, inputs={"received": {"sepal_length": -1.5, "sepal_width": "=1"}})
    answer = browser("alice").get("/predictions.csv?model=iris")
    read = rows(answer.text)
    assert [r["subject"] for r in read][::-1] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "'\rx", "plain"]
    assert {r["input.sepal_length"] for r in read} == {"-1.5"}
    assert {r["input.sepal_width"] for r in read} == {"'=1"}
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_csv_holds_only_what_the_reader_may_see(browser: Open, ledger: Ledger) -> None:
    mine, _ = ledger.write("alice"), ledger.write("bob")
    assert [r["id"] for r in rows(browser("alice").get("/predictions.csv").text)] == [mine]
    assert len(rows(browser("carol").get("/predictions.csv").text)) == 2


def test_the_report_says_who_when_and_what(browser: Open, ledger: Ledger) -> None:
    ledger.write(created_us=NOON)
    ledger.write("bob", label="virginica")
    page = browser("carol").get("/audit/print?label=setosa&from=2026-01-01").text
    for said in ("carol, auditor", "answer setosa", "from 2026-01-01 UTC", "(100.0 %)", "<tfoot>"):
        assert said in page
    assert "virginica" not in page


def test_a_report_longer_than_paper_says_so(
    browser: Open, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.web.audit.MOST_ROWS", 1)
    for _ in range(3):
        ledger.write()
    page = browser("carol").get("/audit/print").text
    assert "The table holds the newest 1 of them" in page


@pytest.mark.parametrize("path", ["/predictions", "/", "/audit/print"])
def test_more_records_cost_no_more_queries(browser: Open, ledger: Ledger, path: str) -> None:
    carol, made = browser("carol"), []
    for n in (2, 6):
        for _ in range(n):
            ledger.write()
        with queries() as statements:
            carol.get(path)
        made.append(len(statements))
    assert made[0] == made[1]


@pytest.mark.parametrize("path", ["/predictions", "/predictions/{}", "/predictions/{}/print", "/audit/print"])
def test_a_number_is_shown_with_its_unit(browser: Open, ledger: Ledger, path: str) -> None:
    said = '{"prediction": 152.5, "label": null, "unit": "mmol/l", "warnings": []}'
    record = ledger.write(model="diabetes", output=said)
    page = browser("alice").get(path.format(record)).text
    assert re.search(r"152\.5 (<span class=.unit-after.>)?mmol/l", page)


def test_units_are_a_column_of_the_export(browser: Open, ledger: Ledger) -> None:
    ledger.write(model="diabetes", output='{"prediction": 152.5, "unit": "mmol/l", "warnings": []}')
    [row] = csv.DictReader(io.StringIO(browser("alice").get("/predictions.csv").text))
    assert (row["prediction"], row["unit"]) == ("152.5", "mmol/l")
