"""CSV that a spreadsheet can be trusted with."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable

import pytest

from tests.conftest import ApiClient
from tests.records import Ledger
from tests.web.conftest import Browser
from webapp.web.exports import safe

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
    begun = time.perf_counter()
    safe("\n" * 200_000 + "x" + " " * 200_000)
    assert time.perf_counter() - begun < 1


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
