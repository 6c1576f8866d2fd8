"""Data subjects: what is kept about one, taking it out, restricting and erasing it, by page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from tests.conftest import ApiClient
from tests.erasing import fill
from tests.records import Ledger
from tests.web.conftest import Browser
from webapp.db import Event, Prediction
from webapp.db.base import session
from webapp.services import erasure, holds, outcomes, reviews
from webapp.services.erasure import Order
from webapp.services.people import Actor
from webapp.services.targets import Target

Open = Callable[[str], Browser]
Who = Callable[[str], Actor]
FORM = {"basis": "lgpd-18-vi", "requested_by": "subject", "reason": "", "typed": "ERASE", "seen": "1"}


def state(record: str) -> str:
    session().rollback()
    return session().query(Prediction).filter_by(id=record).one().state


def one(subject: str = "case 7") -> str:
    return fill(session(), 1, lambda _: {"subject": subject})[0]


def test_a_subject_is_found_exactly(browser: Open, app: Flask) -> None:
    fill(session(), 3, lambda i: {"subject": "case 7" if i < 2 else "case 71"})
    carol = browser("carol")
    page = carol.get("/admin/subjects?subject=case+7").text
    assert 'subject=case+7">2</a>' in page and 'subject=case+7&amp;model=iris">iris</a> 2' in page
    assert "Erase…" not in page and "Restrict…" not in page
    assert "No record has this reference" in carol.get("/admin/subjects?subject=Case+7").text
    page = browser("dave").get("/admin/subjects?subject=case+7").text
    assert "Erase…" in page and "Restrict…" in page


@pytest.mark.parametrize("name", ["alice", "paula"])
@pytest.mark.parametrize(
    "path", ["subjects", "subjects.json?subject=x", "subjects/print?subject=x", "retention"]
)
def test_who_asks_for_answers_sees_nothing_of_it(browser: Open, name: str, path: str) -> None:
    assert browser(name).get(f"/admin/{path}").status_code == 403


@pytest.mark.parametrize("subject", ["<b>\"'&amp;", "100%_\\", "👩‍⚕️ é", "x" * 200])
def test_any_subject_is_found_taken_out_and_erased(browser: Open, app: Flask, subject: str) -> None:
    record, dave, query = one(subject), browser("dave"), quote(subject, safe="")
    page = dave.get(f"/admin/subjects?subject={query}").text
    assert '<b>"' not in page and f"<h2>{subject}</h2>" in unescape(page)
    assert dave.get(f"/admin/subjects.json?subject={query}").json["subject"] == subject
    assert subject in unescape(dave.get(f"/admin/subjects/print?subject={query}").text)
    assert dave.post(f"/admin/erase?subject={query}", FORM).status_code == 302
    assert state(record) == "erased"
    assert "No record has this reference" in dave.get(f"/admin/subjects?subject={query}").text


def test_a_text_that_no_subject_can_be_is_refused(browser: Open, app: Flask) -> None:
    for query in ("x" * 201, "a%00b"):
        assert browser("carol").get(f"/admin/subjects?subject={query}").status_code == 422


def test_the_file_has_all_and_its_event_names_nobody(browser: Open, app: Flask, actor: Who) -> None:
    record, store = one(), app.extensions["desk"].store
    reviews.override(store, actor("dave"), record, "virginica", "seen")
    outcomes.report(store, actor("alice"), record, "setosa", "form")
    holds.restrict(actor("dave"), Target.of([record]), "a claim")
    told = json.loads(browser("carol").get("/admin/subjects.json?subject=case+7").data)
    [kept] = told["records"]
    assert (kept["id"], kept["inputs"], kept["state"]) == (record, {"petal_length": 1.4}, "restricted")
    assert [r["reason"] for r in kept["reviews"]] == ["seen"]
    assert [o["actual"] for o in kept["outcomes"]] == ["setosa"]
    assert [r["reason"] for r in kept["restrictions"]] == ["a claim"]
    assert (told["made_by"], told["models"][0]["name"]) == ("carol", "iris")
    event = session().query(Event).filter_by(kind="export").one()
    assert (event.id, json.loads(event.facts or "")) == (
        told["event"],
        {"format": "json", "scope": "subject", "records": 1},
    )


def test_the_print_has_all_and_is_noted(browser: Open, app: Flask, actor: Who) -> None:
    record = one()
    reviews.override(app.extensions["desk"].store, actor("dave"), record, "virginica", "seen")
    for address in ("/admin/subjects/print?subject=case+7", "/admin/subjects.json?subject=case+7"):
        assert (
            browser("carol").client.head(address).status_code == 200
        )  # shows nothing, so that nothing is noted
    page = browser("carol").get("/admin/subjects/print?subject=case+7").text
    for said in (record, "Petal length", "overridden", "seen", "case 7"):
        assert said in page
    event = session().query(Event).filter_by(kind="print").one()
    assert event.id in page and "case 7" not in (event.facts or "")
    assert browser("carol").get("/admin/subjects/print?subject=nobody").status_code == 404
    assert browser("carol").get("/admin/subjects.json?subject=nobody").status_code == 404


def test_an_admin_sees_what_goes_then_erases(browser: Open, app: Flask, actor: Who) -> None:
    record, dave = one(), browser("dave")
    reviews.confirm(actor("alice"), record)
    path = f"/admin/erase?record={record}"
    page = dave.get(path).text
    for said in (
        "answer and reference of 1 record",
        "reason of 1 review",
        "Type ERASE to go on",
        "LGPD art. 18, VI",
    ):
        assert said in page
    answer = dave.post(path, {**FORM, "typed": ""})
    assert answer.status_code == 422 and "must be ERASE" in answer.text and state(record) == "active"
    answer = dave.post(path, {**FORM, "seen": "0"})
    assert answer.status_code == 422 and "look again" in answer.text
    answer = dave.post(path, {**FORM, "basis": ""})
    assert answer.status_code == 422 and "Legal basis: has to be chosen" in answer.text
    assert dave.post(path, FORM).location == f"/predictions/{record}"
    assert state(record) == "erased"


def test_an_erased_record_says_when_by_whom_and_why(
    browser: Open, app: Flask, api: Callable[[str], ApiClient], ledger: Ledger
) -> None:
    record = one()
    browser("dave").post(f"/admin/erase?record={record}", FORM)
    for path in (f"/predictions/{record}", f"/predictions/{record}/print"):
        page = browser("alice").get(path).text
        for said in ("has been erased", "by dave", "requested by the data subject", "LGPD art. 18, VI"):
            assert said in page, (path, said)
    status, told = api("alice")("GET", f"/predictions/{record}")
    assert status == 200 and told["state"] == "erased" and told["erasure"]["basis"] == "lgpd-18-vi"
    at = datetime.fromisoformat(told["erasure"]["at"])
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1) and told["inputs"] is None
    other = api("alice")("GET", f"/predictions/{ledger.write()}")[1]
    assert other["state"] == "active" and "erasure" not in other


def test_a_young_record_asks_for_other_words(
    browser: Open, ledger: Ledger, asked: Callable[..., str]
) -> None:
    record, dave = asked("alice"), browser("dave")
    path = f"/admin/erase?record={record}"
    page = dave.get(path).text
    assert "Type ERASE BEFORE ITS TIME to go on" in page and "must be kept until" in page
    answer = dave.post(path, FORM)
    assert answer.status_code == 409 and "must be kept for 183 days" in answer.text
    assert dave.post(path, {**FORM, "typed": "ERASE BEFORE ITS TIME"}).status_code == 302
    assert "before its time" in dave.get(f"/predictions/{record}").text


def test_the_words_to_type_are_those_of_the_page(browser: Open, asked: Callable[..., str]) -> None:
    record, dave = asked("alice"), browser("dave")
    path = f"/admin/erase?record={record}"
    dave.post("/account/display", {"language": "pt-BR"}, page="/account")
    assert "APAGAR ANTES DO PRAZO" in dave.get(path).text
    assert dave.post(path, {**FORM, "typed": "APAGAR ANTES DO PRAZO"}).status_code == 302


def test_a_record_is_restricted_and_lifted_by_page(browser: Open, app: Flask) -> None:
    record, dave = one(), browser("dave")
    path = f"/admin/restrict?record={record}"
    assert dave.post(path, {"reason": ""}).status_code == 422
    assert dave.post(path, {"reason": "x", "until": "2020-01-01"}).status_code == 422
    assert dave.post(path, {"reason": "about case 7"}).status_code == 422
    assert dave.post(path, {"reason": "a <claim>", "until": "2090-01-31"}).status_code == 302
    for name in ("dave", "carol"):
        page = browser(name).get(f"/predictions/{record}").text
        assert "until 2090-01-31 UTC" in page and "a &lt;claim&gt;" in page
    assert "a &lt;claim&gt;" in dave.get(f"/predictions/{record}/print").text
    assert browser("alice").get(f"/predictions/{record}").status_code == 404
    page = dave.get(f"/admin/erase?record={record}").text
    assert "is restricted until" in page and 'name="typed"' not in page
    assert dave.post(f"/admin/erase?record={record}", FORM, page=path).status_code == 409
    assert dave.post(path, {"act": "lift"}).status_code == 302
    assert state(record) == "active"


@pytest.mark.parametrize("path", ["/admin/erase", "/admin/restrict"])
def test_without_anything_named_the_search_is_shown(browser: Open, path: str) -> None:
    assert browser("dave").get(path).location == "/admin/subjects"


def everywhere(record: str) -> list[str]:
    return [
        "/predictions",
        "/predictions?subject=case+7",
        "/predictions?state=restricted",
        "/predictions?q=case+7",
        f"/predictions?q={record}",
        "/predictions?model=iris",
        "/predictions.csv",
        "/predictions.csv?state=restricted",
        "/audit/print",
        "/audit/print?subject=case+7",
        "/models/iris/predict",
        f"/predictions/{record}",
        f"/predictions/{record}/print",
        f"/models/iris/predict?record={record}",
    ]


def test_a_restricted_record_does_not_exist_for_who_does_not_see_all(
    browser: Open, app: Flask, actor: Who, api: Callable[[str], ApiClient], asked: Callable[..., str]
) -> None:
    record, other = asked("alice", **{"record-subject": "case 7"}), asked("alice")
    beside = asked("alice", **{"record-subject": "case 7"})
    alice = browser("alice")
    assert all(record in alice.get(path).text for path in everywhere(record)[:1])
    holds.restrict(actor("dave"), Target.of([record]), "a claim")
    for path in everywhere(record):
        answer = alice.get(path)
        shown = (
            answer.text.replace(f"?q={record}", "")
            .replace(f'value="{record}"', "")
            .replace(f"“{record}”", "")
        )
        assert record not in shown.replace(path, ""), path
    assert alice.get(f"/predictions/{record}").status_code == 404
    assert "<b>2</b> records" in alice.get("/predictions").text
    for path in (f"/predictions/{other}", f"/predictions/{beside}"):
        assert record not in alice.get(path).text
    ask = api("alice")
    assert [r["id"] for r in ask("GET", "/predictions")[1]["data"]] == [beside, other]
    assert ask("GET", "/predictions?state=restricted")[1]["data"] == []
    assert ask("GET", f"/predictions/{record}")[0] == 404
    assert ask("POST", f"/predictions/{record}/outcome", {"actual": "setosa"})[0] == 404
    for act in ("confirm", "override"):
        form = {"act": act, "decision": "virginica", "reason": "x"}
        assert alice.post(f"/predictions/{record}/review", form, page="/account").status_code == 404
    for name in ("carol", "dave"):
        page = browser(name).get("/predictions").text
        assert record in page and "<b>3</b> records" in page
        assert api(name)("GET", f"/predictions/{record}")[1]["state"] == "restricted"


def test_a_restricted_answer_is_not_given_again(api: Callable[[str], ApiClient], actor: Who) -> None:
    ask = api("alice")
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    sent: Any = ("POST", "/models/iris/predict", {"inputs": row})
    record = ask(*sent, headers={"Idempotency-Key": "k"})[1]["id"]
    assert ask(*sent, headers={"Idempotency-Key": "k"})[1]["id"] == record
    holds.restrict(actor("dave"), Target.of([record]), "a claim")
    status, told = ask(*sent, headers={"Idempotency-Key": "k"})
    assert status == 409 and record not in json.dumps(told)


def test_the_activity_tells_of_erasures_and_restrictions(browser: Open, app: Flask, actor: Who) -> None:
    first, second = fill(session(), 2, lambda _: {"subject": "case 7"})
    holds.restrict(actor("dave"), Target.of([second]), "a claim")
    holds.lift(actor("dave"), Target.of([second]))
    erasure.erase(
        app.extensions["desk"], actor("dave"), Target.of([first]), Order("other", "a wish", typed="ERASE")
    )
    page = browser("carol").get("/admin/activity").text
    for said in ("Records erased", "Records restricted", "Restriction lifted", "a wish", "records <b>1</b>"):
        assert said in page
    assert "False" not in page and "before its time" not in page


def test_what_was_exported_about_an_erased_subject_is_told_as_erased(browser: Open, app: Flask) -> None:
    one()
    browser("carol").get("/predictions.csv?subject=case+7")
    dave = browser("dave")
    assert "the filter of 1 export or print" in dave.get("/admin/erase?subject=case+7").text
    dave.post("/admin/erase?subject=case+7", FORM)
    assert "case 7" not in dave.get("/admin/activity").text
