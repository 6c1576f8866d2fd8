"""One record: what it shows, and what may be added to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import unescape

import pytest

from tests.records import Ledger
from tests.web.conftest import Browser
from webapp.services import outcomes

Open = Callable[[str], Browser]


def test_what_was_received_stands_beside_what_was_used(browser: Open, ledger: Ledger) -> None:
    used = {"petal_length": 1.25, "petal_width": 0.75}
    inputs = {"received": {"petal_length": 1.25}, "used": used, "defaulted": ["petal_width"]}
    page = browser("alice").get(f"/predictions/{ledger.write(inputs=inputs)}").text
    for said in ("As received", "As used", "not given", "0.75", ">default<"):
        assert said in page
    assert "As received" not in browser("alice").get(f"/predictions/{ledger.write()}").text


def test_the_time_it_took_is_told_by_stage(browser: Open, ledger: Ledger) -> None:
    record = ledger.write(timings='{"check":100,"predict":350}', latency_us=1000)
    page = (
        browser("alice").get(f"/predictions/{record}").text.split('class="stages"')[1].split("</section>")[0]
    )
    for said in ("Where 1 ms went", "check", "100 µs", "width: 35.0%", "550 µs"):
        assert said in page


def test_neighbours_are_those_of_the_filter(browser: Open, ledger: Ledger) -> None:
    older, here, other, newer = (ledger.write(label=c) for c in ("a", "a", "b", "a"))
    alice = browser("alice")
    page = unescape(alice.get(f"/predictions/{here}?label=a").text)
    assert f'href="/predictions/{newer}?label=a" rel="next"' in page
    assert f'href="/predictions/{older}?label=a" rel="prev"' in page
    assert f'href="/predictions/{other}" rel="next"' in alice.get(f"/predictions/{here}").text
    assert 'rel="next"' not in alice.get(f"/predictions/{newer}").text


def test_others_of_the_same_reference_are_listed(browser: Open, ledger: Ledger) -> None:
    before, here, after = (ledger.write(subject="case 7") for _ in range(3))
    foreign = ledger.write("bob", subject="case 7")
    page = browser("alice").get(f"/predictions/{here}").text.split("Other answers for this reference")[1]
    assert before in page
    assert after in page
    assert foreign not in page


def test_an_answer_is_confirmed_and_overridden(browser: Open, asked: Callable[..., str]) -> None:
    record, alice = asked("alice"), browser("alice")
    path = f"/predictions/{record}"
    assert alice.post(f"{path}/review", {"act": "confirm"}, page=path).status_code == 302
    form = {"act": "override", "decision": "virginica", "reason": "<b>the photo</b>"}
    assert alice.post(f"{path}/review", form, page=path).location == f"{path}#became"
    page = alice.get(path).text
    for said in (
        "Confirmed by alice",
        "Overridden by alice",
        "&lt;b&gt;the photo",
        "alice decided otherwise",
    ):
        assert said in page
    assert "overridden" in alice.get("/predictions").text


def test_an_outcome_is_reported_and_corrected(browser: Open, asked: Callable[..., str]) -> None:
    record, alice = asked("alice"), browser("alice")
    path = f"/predictions/{record}"
    for actual, said in (("virginica", "not as answered"), ("setosa", "as answered")):
        alice.post(f"{path}/outcome", {"actual": actual}, page=path)
        assert said in alice.get(path).text
    assert "Correct the outcome" in alice.get(path).text


def test_numbers_are_judged_as_numbers(browser: Open, ledger: Ledger) -> None:
    path, alice = f"/predictions/{ledger.write(model='diabetes')}", browser("alice")
    assert alice.post(f"{path}/outcome", {"actual": "160.5"}, page=path).status_code == 302
    answer = alice.post(f"{path}/outcome", {"actual": "a lot"}, page=path)
    assert answer.status_code == 422
    assert "What was true must be a number with a point for decimals" in answer.text
    assert 'value="a lot"' in answer.text
    assert "160.5" in answer.text


def test_numbers_are_typed_as_the_page_writes_them(browser: Open, ledger: Ledger) -> None:
    record, alice = ledger.write(model="diabetes"), browser("alice")
    path = f"/predictions/{record}"
    alice.post("/account/display", {"language": "pt-BR"}, page="/account")
    assert alice.post(f"{path}/outcome", {"actual": "1.500"}, page=path).status_code == 422
    assert alice.post(f"{path}/outcome", {"actual": "160,5"}, page=path).status_code == 302
    assert [o.actual for o in outcomes.of(record)] == [160.5]


@pytest.mark.parametrize(
    ("form", "address"),
    [
        ({"act": "override", "decision": "virginica", "reason": " "}, "#reason"),
        ({"act": "override", "decision": "tulip", "reason": "seen"}, "#decision"),
    ],
)
def test_what_is_wrong_is_told_at_the_top_too(
    browser: Open, asked: Callable[..., str], form: dict[str, str], address: str
) -> None:
    path, alice = f"/predictions/{asked('alice')}", browser("alice")
    page = alice.post(f"{path}/review", form, page=path).text
    assert f'<li><a href="{address}">' in page.split('class="summary"')[1].split("</ul>")[0]


def test_what_is_missing_is_told_beside_its_field_and_typed_text_stays(
    browser: Open, asked: Callable[..., str]
) -> None:
    path, alice = f"/predictions/{asked('alice')}", browser("alice")
    answer = alice.post(
        f"{path}/review", {"act": "override", "decision": "virginica", "reason": " "}, page=path
    )
    assert answer.status_code == 422
    assert 'id="reason-wrong"' in answer.text
    assert "selected>virginica" in answer.text


@pytest.mark.parametrize(("name", "may"), [("alice", True), ("carol", False), ("dave", True)])
def test_only_who_may_judge_is_offered_the_forms(browser: Open, ledger: Ledger, name: str, may: bool) -> None:
    page = browser(name).get(f"/predictions/{ledger.write()}").text
    assert ("Decide otherwise" in page) is may


def test_nothing_can_be_added_to_an_erased_record(browser: Open, ledger: Ledger) -> None:
    record = ledger.write(inputs=None, output=None, salts=None, state="erased", label=None, score=None)
    alice = browser("alice")
    assert "Decide otherwise" not in alice.get(f"/predictions/{record}").text
    path = f"/predictions/{record}/review"
    assert alice.post(path, {"act": "confirm"}, page="/account").status_code == 409


@pytest.mark.parametrize(
    ("label", "threshold", "said"),
    [
        (
            "setosa",
            {"label": "setosa", "at_least": 0.22, "reached": True},
            "Answered as setosa because 31.0 % is at least 22.0 %",
        ),
        (
            "virginica",
            {"label": "setosa", "at_least": 0.3101, "reached": False},
            "Not answered as setosa because 31.00 % is below 31.01 %",
        ),
        (
            "virginica",
            {"label": "virginica", "at_least": 0.9, "reached": False},
            "No class reaches its threshold",
        ),
    ],
)
def test_the_threshold_that_settled_an_answer_is_told(
    browser: Open, ledger: Ledger, label: str, threshold: dict[str, object], said: str
) -> None:
    told = {
        "prediction": label,
        "label": label,
        "probabilities": {"setosa": 0.31, "virginica": 0.69},
        "warnings": [],
    }
    record = ledger.write(label=label, output=json.dumps(told | {"threshold": threshold}))
    for path in (f"/predictions/{record}", f"/predictions/{record}/print"):
        assert said in browser("alice").get(path).text
