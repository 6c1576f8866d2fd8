from __future__ import annotations

import time
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import password
from tests.web.conftest import IRIS, Browser, typed_in
from webapp.db import Failure, Prediction
from webapp.db.base import session
from webapp.errors import NotReady
from webapp.ml.schema import Feature, Output, Schema
from webapp.services import predictions, registry
from webapp.web.forms.limits import room

Open = Callable[[str], Browser]
PAGE = "/models/iris/predict"


def stored() -> int:
    session().rollback()
    return session().query(Prediction).count()


def test_the_form_has_a_field_for_every_feature(browser: Open) -> None:
    page = browser("alice").get(PAGE).text
    for name in IRIS:
        assert f'name="{name}"' in page
    assert "Not meant for" in page


def test_a_good_form_is_answered_beside_its_values(browser: Open) -> None:
    alice = browser("alice")
    answer = alice.post(PAGE, {**IRIS, "record-subject": "case 7"})
    page = alice.get(answer.location).text
    assert "setosa" in page
    assert 'value="1.4"' in page
    assert 'value="case 7"' in page
    assert session().query(Prediction).one().channel == "form"


def test_reloading_the_answer_predicts_nothing(browser: Open) -> None:
    alice = browser("alice")
    answer = alice.post(PAGE, IRIS)
    for _ in range(3):
        alice.get(answer.location)
    assert stored() == 1


def test_a_second_click_gives_the_first_answer(browser: Open) -> None:
    alice = browser("alice")
    sent = {**IRIS, "form-id": "one page"}
    assert alice.post(PAGE, sent).location == alice.post(PAGE, sent).location
    assert stored() == 1


def test_other_values_from_the_same_page_are_another_question(browser: Open) -> None:
    alice = browser("alice")
    for length in ("1.4", "1.5"):
        alice.post(PAGE, {**IRIS, "petal_length": length, "form-id": "one page"})
    assert stored() == 2


def test_bad_values_come_back_with_their_reasons_and_leave_no_record(browser: Open) -> None:
    answer = browser("alice").post(PAGE, {**IRIS, "sepal_length": "0,5", "petal_width": "-1"})
    assert answer.status_code == 422
    assert 'value="0,5"' in answer.text
    assert 'href="#f0"' in answer.text
    assert 'aria-describedby="f3-wrong f3-foreseen"' in answer.text
    assert stored() == 0


@pytest.mark.parametrize("wrong", [{"sepal_length": "0,5"}, {"record-subject": "x" * 201}])
def test_a_refused_form_is_counted_once(app: Flask, browser: Open, wrong: dict[str, str]) -> None:
    browser("alice").post(PAGE, {**IRIS, **wrong})
    app.extensions["desk"].failures.store()
    [counted] = session().query(Failure)
    assert (counted.kind, counted.count) == ("InvalidInput", 1)


def test_a_warning_is_told_in_words(browser: Open) -> None:
    alice = browser("alice")
    answer = alice.post(PAGE, {**IRIS, "petal_length": "9.1"})
    assert "Petal length 9.1 cm is outside the training range, 1 to 6.9 cm" in alice.get(answer.location).text


def test_a_reference_that_is_too_long_is_refused_beside_its_field(browser: Open) -> None:
    answer = browser("alice").post(PAGE, {**IRIS, "record-subject": "x" * 201})
    assert answer.status_code == 422
    assert 'id="subject-wrong"' in answer.text


def test_a_desk_that_can_not_answer_keeps_what_was_typed(
    browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise NotReady("The record cannot be kept right now; try again.", 7)

    monkeypatch.setattr(predictions, "make", away)
    answer = browser("alice").post(PAGE, IRIS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert "cannot be kept right now" in answer.text
    assert 'value="1.4"' in answer.text


def test_fields_of_no_feature_are_ignored(browser: Open) -> None:
    assert browser("alice").post(PAGE, {**IRIS, "another": "1"}).status_code == 302


TYPED = {**IRIS, "petal_length": "1,4", "record-subject": "<case 7>", "form-language": "pt-BR"}


def idle(alice: Browser, app: Flask) -> None:
    """Her session has been left unused for too long."""
    with alice.client.session_transaction() as own:
        own["seen"] -= app.config["SESSION_IDLE_SECONDS"] + 1


def hidden(page: str, name: str) -> str:
    return unescape(page.split(f'name="{name}" value="')[1].split('"')[0])


def sign_in_again(alice: Browser, page: str, name: str = "alice") -> TestResponse:
    form = {"csrf_token": hidden(page, "csrf_token"), "carried": hidden(page, "carried")}
    return alice.client.post("/login", data={**form, "username": name, "password": password(name)})


def test_what_was_typed_survives_a_session_that_has_ended(app: Flask, browser: Open) -> None:
    alice = browser("alice")
    token = hidden(alice.get(PAGE).text, "csrf_token")
    idle(alice, app)
    ended = alice.client.post(f"{PAGE}?version=1", data={"csrf_token": token, **TYPED})
    assert ended.status_code == 401
    assert "Your sign-in has ended, and nothing was asked." in ended.text
    back = sign_in_again(alice, ended.text)
    assert back.status_code == 200
    assert 'action="/models/iris/fill?version=1"' in back.text
    fields = {name: hidden(back.text, name) for name in (*TYPED, "csrf_token")}
    shown = alice.client.post("/models/iris/fill?version=1", data=fields)
    assert shown.status_code == 200
    held = typed_in(shown.text)
    assert {name: held[name] for name in TYPED} == TYPED
    assert stored() == 0


def test_a_wrong_password_on_the_way_loses_nothing(app: Flask, browser: Open) -> None:
    alice = browser("alice")
    token = hidden(alice.get(PAGE).text, "csrf_token")
    idle(alice, app)
    page = alice.client.post(PAGE, data={"csrf_token": token, **TYPED}).text
    form = {"csrf_token": hidden(page, "csrf_token"), "carried": hidden(page, "carried")}
    again = alice.client.post("/login", data={**form, "username": "alice", "password": "wrong"})
    assert hidden(again.text, "carried") == form["carried"]


def test_somebody_else_who_signs_in_gets_nothing_that_was_typed(app: Flask, browser: Open) -> None:
    alice = browser("alice")
    token = hidden(alice.get(PAGE).text, "csrf_token")
    idle(alice, app)
    page = alice.client.post(PAGE, data={"csrf_token": token, **TYPED}).text
    answer = sign_in_again(alice, page, "bob")
    assert (answer.status_code, answer.location) == (302, "/")


@pytest.mark.parametrize("carried", ["", "{", "[]", "3", '{"model": 1}', "[" * 5_000,
    '{"model": "iris", "version": "", "account": "", "fields": {"a": 1}}',
    '{"model": "iris", "version": "", "account": "", "fields": {"a": "\\ud800"}}',
    '{"model": "iris", "version": "", "account": "", "fields": []}'])  # fmt: skip
def test_what_nobody_here_packed_is_not_carried(client: FlaskClient, carried: str) -> None:
    form = {"csrf_token": hidden(client.get("/login").text, "csrf_token"), "carried": carried}
    answer = client.post("/login", data={**form, "username": "alice", "password": password("alice")})
    assert (answer.status_code, answer.location) == (302, "/")


def test_a_form_without_its_token_asks_nothing_and_keeps_what_was_typed(
    client: FlaskClient, browser: Open
) -> None:
    stale = browser("alice").client.post(f"{PAGE}?version=1", data={**TYPED, "form-id": "one page"})
    assert stale.status_code == 400
    assert 'action="/models/iris/fill?version=1"' in stale.text
    assert hidden(stale.text, "record-subject") == "<case 7>"
    assert (
        "carried.js" not in stale.text and "one page" not in stale.text
    )  # a click of their own brings it back
    unknown = client.post(PAGE, data=TYPED)
    assert unknown.status_code == 401
    assert "&lt;case 7&gt;" in unknown.text
    assert stored() == 0


def test_more_than_can_be_carried_is_listed_to_be_copied(client: FlaskClient) -> None:
    answer = client.post(PAGE, data={"sepal_length": "x" * 61_500})
    assert answer.status_code == 400
    assert "<dt>sepal_length</dt>" in answer.text


def test_the_example_fills_the_form(browser: Open) -> None:
    alice = browser("alice")
    page = alice.get(f"{PAGE}?example=1").text
    assert page.count("visually-hidden") > 0
    assert 'name="sepal_length" value=""' not in page
    assert 'class="mark' in page


def test_an_answer_of_somebody_else_is_not_shown(browser: Open, asked: Callable[..., str]) -> None:
    record = asked("bob")
    assert browser("alice").get(f"{PAGE}?record={record}").status_code == 404


def test_what_was_not_given_is_told_beside_the_answer(browser: Open) -> None:
    alice = browser("alice")
    fields = typed_in(alice.get("/models/purchase/predict?example=1").text)
    answer = alice.post("/models/purchase/predict", {**fields, "age": ""})
    page = alice.get(answer.location).text
    assert "Not given: Age." in page
    assert 'placeholder="e.g. ' in page


def test_a_number_comes_with_its_usual_error(browser: Open) -> None:
    alice = browser("alice")
    fields = typed_in(alice.get("/models/diabetes/predict?example=1").text)
    there = str(alice.post("/models/diabetes/predict", fields).location)
    record = there.split("record=")[1].split("#")[0]
    for path in (there, f"/predictions/{record}", f"/predictions/{record}/print"):
        assert "Typically off by ± 45: the mean absolute error on test data." in alice.get(path).text


def publish(app: Flask, packages: dict[str, Any]) -> None:
    """Make another version of iris the one that answers."""
    registry.publish(app.extensions["desk"].store, packages["iris"][1], name="iris", title="", promote=True)


def test_the_form_of_an_older_version_asks_that_version(
    app: Flask, browser: Open, packages: dict[str, Any]
) -> None:
    publish(app, packages)
    alice = browser("alice")
    page = alice.get(f"{PAGE}?version=1").text
    assert f'action="{PAGE}?version=1"' in page
    assert "This form asks version 1" in page
    answer = alice.post(f"{PAGE}?version=1", IRIS)
    assert "version 1 <span" in alice.get(answer.location).text
    assert session().query(Prediction).one().version.number == 1


@pytest.mark.parametrize("version", ["9", "x", "1.0"])
@pytest.mark.parametrize("path", [PAGE, "/models/iris"])
def test_an_unknown_version_is_not_found_and_says_where_to_look(
    browser: Open, path: str, version: str
) -> None:
    answer = browser("alice").get(f"{path}?version={version}")
    assert answer.status_code == 404
    assert "its page, or GET /api/v1/models/iris/versions, lists them" in answer.text


def test_an_auditor_predicts_nothing(browser: Open) -> None:
    carol = browser("carol")
    assert carol.get(PAGE).status_code == 403
    assert f'href="{PAGE}"' not in carol.get("/models/iris").text


@pytest.mark.parametrize("model", ["iris", "diabetes", "purchase"])
def test_every_model_answers_its_own_example(browser: Open, model: str) -> None:
    alice = browser("alice")
    page = alice.get(f"/models/{model}/predict?example=1").text
    fields = typed_in(page)
    answer = alice.post(f"/models/{model}/predict", fields)
    assert answer.status_code == 302, answer.text
    assert alice.get(answer.location).status_code == 200


def test_the_features_stand_in_their_groups(browser: Open) -> None:
    page = browser("alice").get(PAGE).text
    assert page.index("<legend>Sepal</legend>") < page.index('name="sepal_length"')
    assert page.index("<legend>Petal</legend>") < page.index('name="petal_length"')


def test_a_value_beyond_what_was_learned_is_told_of_before_it_is_sent(browser: Open) -> None:
    said = "Outside 1 to 6.9 cm, the range this version learned from: the answer may be less reliable."
    assert f'data-outside="{said}"' in browser("alice").get(PAGE).text
    page = browser("alice").post("/models/iris/fill", {**IRIS, "petal_length": "9.1"}, PAGE).text
    assert f'aria-live="polite">{said}</p>' in page


LANGUAGES = [("en", "5.1", "5,1"), ("pt-BR", "5,1", "5.1")]


@pytest.mark.parametrize(("language", "right", "wrong"), LANGUAGES)
def test_numbers_are_typed_as_the_language_of_the_page_writes_them(
    browser: Open, language: str, right: str, wrong: str
) -> None:
    alice = browser("alice")
    values = {name: text.replace(".", right[1]) for name, text in IRIS.items()}
    page = alice.client.get(f"{PAGE}?example=1", headers={"Accept-Language": language}).text
    assert typed_in(page)["form-language"] == language
    assert right[1] in typed_in(page)["petal_width"]
    sent = {**values, "form-language": language}
    assert alice.post(PAGE, {**sent, "sepal_length": wrong}).status_code == 422
    # What was sent says how it was typed, whatever the language has become since.
    assert alice.post(PAGE, {**sent, "sepal_length": right}).status_code == 302


def test_a_pasted_row_fills_the_form_and_asks_nothing(browser: Open) -> None:
    alice = browser("alice")
    row = "Petal width (cm);species;sepal_length\n0.2;setosa;abc"
    answer = alice.post("/models/iris/fill", {**IRIS, "petal_width": "", "form-pasted": row}, PAGE)
    assert answer.status_code == 200
    held = typed_in(answer.text)
    assert (held["petal_width"], held["sepal_length"], held["petal_length"]) == ("0.2", "abc", "1.4")
    for said in ("2 of 4 fields filled from the pasted row, by its heading.", "a point for decimals",
                 "Left as they were: Sepal width, Petal length.", "Not a feature of this model: species."):  # fmt: skip
        assert said in answer.text
    assert "Sepal length must be a number" in answer.text
    assert stored() == 0


def test_an_empty_paste_is_told(browser: Open) -> None:
    alice = browser("alice")
    page = alice.post("/models/iris/fill", {**TYPED, "form-pasted": ""}, page=PAGE).text
    assert "Nothing was pasted" in page


def test_the_form_can_be_filled_from_a_record_by_its_id_or_its_address(
    browser: Open, asked: Callable[..., str]
) -> None:
    record, alice = asked("alice", petal_length="1.7"), browser("alice")
    for wanted in (f" {record} ", f"http://localhost/predictions/{record}?x=1"):
        page = alice.client.get(PAGE, query_string={"load": wanted}).text
        assert typed_in(page)["petal_length"] == "1.7"
    assert f"record={record}" in alice.get(PAGE).text  # among those asked last
    assert f"record={record}" not in browser("bob").get(PAGE).text
    answer = browser("bob").get(f"{PAGE}?load={record}")
    assert "There is no such record, or it is not yours to see." in answer.text


def test_a_what_if_is_a_record_of_its_own_shown_beside_the_answer_before(
    browser: Open, asked: Callable[..., str]
) -> None:
    record, alice = asked("alice"), browser("alice")
    typed = typed_in(alice.get(f"{PAGE}?record={record}").text)
    assert typed["form-before"] == record
    sent = {**typed, "petal_length": "5", "form-mode": "what-if"}
    first = alice.post(PAGE, sent)
    page = alice.get(first.location).text
    assert "1.4 <span" in page and "→" in page and "<b>5</b>" in page
    assert 'class="was"' in page
    assert (
        typed_in(page)["form-before"] == record
    )  # the next one is compared with the answer, not with this one
    assert alice.post(PAGE, sent).location == first.location  # back again is no other record
    alice.post(PAGE, {**typed, "petal_length": "5"})
    assert [p.channel for p in session().query(Prediction).order_by(Prediction.seq)] == [
        "form",
        "what-if",
        "form",
    ]
    assert "What if</span>" not in alice.get(f"{PAGE}?record={record}").text


def test_a_row_that_is_quite_another_is_not_compared(browser: Open, asked: Callable[..., str]) -> None:
    record, alice = asked("alice"), browser("alice")
    other = dict.fromkeys(IRIS, "2.5") | {"form-before": record}
    assert "before:" not in alice.get(alice.post(PAGE, other).location).text
    near = {**IRIS, "petal_length": "1.5", "form-before": record}
    assert "before:" in alice.get(alice.post(PAGE, near).location).text


def test_the_answer_of_somebody_else_is_no_answer_before(browser: Open, asked: Callable[..., str]) -> None:
    theirs, mine = asked("bob", petal_length="1.5"), asked("alice")
    page = browser("alice").get(f"{PAGE}?record={mine}&before={theirs}").text
    assert theirs not in page
    assert "before:" not in page


def test_a_model_published_anew_meanwhile_is_not_asked_unseen(
    app: Flask, browser: Open, packages: dict[str, Any]
) -> None:
    alice = browser("alice")
    typed = typed_in(alice.get(f"{PAGE}?example=1").text)
    registry.publish(
        app.extensions["desk"].store, packages["purchase"][1], name="iris", title="", promote=True
    )
    answer = alice.post(PAGE, typed)
    assert answer.status_code == 409
    assert "Version 2 answers since this page was made" in answer.text
    assert "<dt>petal_length</dt>" in answer.text
    assert stored() == 0


def test_the_same_values_of_a_newer_version_are_asked(
    app: Flask, browser: Open, packages: dict[str, Any]
) -> None:
    alice = browser("alice")
    typed = typed_in(alice.get(f"{PAGE}?example=1").text)
    publish(app, packages)
    assert alice.post(PAGE, typed).status_code == 302


@pytest.mark.parametrize("path", [PAGE, "/models/iris/fill"])
def test_a_form_far_larger_than_its_fields_is_not_taken_apart(browser: Open, path: str) -> None:
    alice = browser("alice")
    kind = "application/x-www-form-urlencoded"
    begun = time.process_time()
    assert alice.client.post(path, data=b"a=1&" * 1_900_000, content_type=kind).status_code == 413
    assert time.process_time() - begun < 1


def test_a_form_may_be_as_large_as_its_texts(app: Flask) -> None:
    text = Feature("essay", "text", "Essay", max_length=100_000)
    assert room(Schema((text,), Output("regression", "y", "Y"))) > 1_200_000
