"""The list: its columns, its saved filters, and rows that lead on."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

import pytest

from tests.records import Ledger, queries
from tests.web.conftest import Browser

Open = Callable[[str], Browser]


def heads(page: str) -> list[str]:
    """The heads of the list, without units."""
    row = page.split("<thead>")[1].split("</thead>")[0]
    return [cell.split(">", 1)[1].split("<")[0].strip() for cell in row.split("<th")[1:]]


def test_columns_are_chosen_in_the_address(browser: Open, ledger: Ledger) -> None:
    ledger.write(subject="case 7", inputs={"received": {"petal_length": 1.375}})
    path = "/predictions?model=iris&columns=score&columns=reference&columns=input.petal_length"
    page = browser("alice").get(path).text
    assert heads(page) == ["When", "Probability", "Reference", "Petal length"]
    assert ">1.375<" in page
    assert 'value="input.petal_length" checked' in page
    kept = "model=iris&columns=score&columns=reference&columns=input.petal_length"
    assert f'href="/predictions.csv?{kept}"' in unescape(page)


def test_columns_may_be_one_word_with_commas(browser: Open, ledger: Ledger) -> None:
    ledger.write()
    assert heads(browser("alice").get("/predictions?columns=answer,latency").text) == [
        "When",
        "Answer",
        "Latency",
    ]


def test_a_column_that_does_not_exist_is_told(browser: Open, ledger: Ledger) -> None:
    ledger.write()
    answer = browser("alice").get("/predictions?columns=anser&columns=model")
    assert answer.status_code == 422
    assert "“Columns” has no “anser”; did you mean “answer”?" in answer.text
    assert heads(answer.text)[:2] == ["When", "Model"]


@pytest.mark.parametrize(
    "path", ["/predictions?columns=input.petal_length", "/predictions?model=iris&columns=input.age"]
)
def test_an_input_of_another_model_is_left_out_and_told(browser: Open, ledger: Ledger, path: str) -> None:
    ledger.write()
    answer = browser("alice").get(path)
    assert answer.status_code == 200
    assert "that column is left out" in answer.text


def test_without_its_model_a_list_has_none_of_its_inputs(browser: Open, ledger: Ledger) -> None:
    ledger.write()
    page = browser("alice").get("/predictions?model=iris&columns=score&columns=input.petal_length").text
    assert 'class="chip" href="/predictions?columns=score"' in page


def test_cells_are_links_that_add_their_filter(browser: Open, ledger: Ledger) -> None:
    ledger.write(channel="api")
    page = browser("carol").get("/predictions?label=setosa").text
    for added in ("user=alice", "channel=api", "model=iris"):
        assert f"label=setosa&{added}" in unescape(page)


def test_a_row_leads_to_its_record_and_keeps_the_filter(browser: Open, ledger: Ledger) -> None:
    record = ledger.write()
    page = browser("alice").get("/predictions?label=setosa").text
    assert f'class="open" href="/predictions/{record}?label=setosa"' in page


def test_classes_of_several_models_are_not_mixed(browser: Open, ledger: Ledger) -> None:
    ledger.write()
    ledger.write(model="diabetes")
    carol = browser("carol")
    assert '<a href="/predictions?label=setosa">setosa</a>' not in carol.get("/predictions").text
    assert (
        '<a href="/predictions?model=iris&amp;label=setosa">setosa</a>'
        in carol.get("/predictions?model=iris").text
    )


def test_a_filter_can_be_saved_found_renamed_and_deleted(browser: Open, ledger: Ledger) -> None:
    ledger.write()
    alice, query = browser("alice"), "label=setosa&columns=score"
    saved = alice.post(f"/predictions/saved?{query}", {"name": " Sure  ones "}, page=f"/predictions?{query}")
    assert saved.location == f"/predictions?{query}"
    page = unescape(alice.get("/predictions").text)
    assert '<a href="/predictions?columns=score&label=setosa" >Sure ones</a>' in page
    assert 'aria-current="page">Sure ones' in alice.get("/predictions?columns=score&label=setosa").text
    listed = alice.get("/predictions/saved").text
    path = "/predictions/saved/" + listed.split('action="/predictions/saved/')[1].split('"')[0]
    alice.post(path, {"name": "Other", "act": "rename"}, page="/predictions/saved")
    assert ">Other</a>" in alice.get("/predictions").text
    assert ">Other</a>" not in browser("bob").get("/predictions").text
    assert browser("bob").post(path, {"act": "delete"}, page="/predictions").status_code == 404
    alice.post(path, {"act": "delete"}, page="/predictions/saved")
    assert "No saved filters yet" in alice.get("/predictions/saved").text


def test_a_name_that_can_not_be_is_told_beside_its_field(browser: Open) -> None:
    alice = browser("alice")
    alice.post("/predictions/saved", {"name": "mine"}, page="/predictions")
    path = alice.get("/predictions/saved").text.split('action="/predictions/saved/')[1].split('"')[0]
    answer = alice.post(
        f"/predictions/saved/{path}", {"name": " ", "act": "rename"}, page="/predictions/saved"
    )
    assert answer.status_code == 422
    assert "1 to 80 characters" in answer.text


def test_a_filter_that_can_not_be_understood_is_not_saved(browser: Open) -> None:
    alice = browser("alice")
    assert (
        alice.post("/predictions/saved?version=x", {"name": "mine"}, page="/predictions").status_code == 422
    )


def test_more_columns_cost_no_more_queries(browser: Open, ledger: Ledger) -> None:
    for _ in range(5):
        ledger.write()
    alice, made = browser("alice"), []
    every = "&".join(
        f"columns={word}" for word in ("review", "outcome", "state", "score", "request", "engine")
    )
    for path in ("/predictions?model=iris", f"/predictions?model=iris&{every}&columns=input.petal_length"):
        with queries() as statements:
            alice.get(path)
        made.append(len(statements))
    assert made[0] == made[1]
