from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.conftest import IRIS, Browser
from webapp.db import Failure, Prediction
from webapp.db.base import session
from webapp.errors import NotReady
from webapp.services import predictions, registry

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
    assert 'aria-describedby="f3-wrong"' in answer.text
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


def test_a_form_without_its_token_is_refused_and_what_was_typed_is_listed(client: FlaskClient) -> None:
    answer = client.post(
        f"{PAGE}?version=1", data={**IRIS, "record-subject": "<case 7>", "form-id": "one page"}
    )
    assert answer.status_code == 400
    assert f'href="{PAGE}?version=1"' in answer.text
    assert "<dt>sepal_length</dt><dd>5.1</dd>" in answer.text
    assert "<dt>Reference</dt><dd>&lt;case 7&gt;</dd>" in answer.text
    assert "one page" not in answer.text
    assert stored() == 0


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
    fields = dict(_fields(alice.get("/models/purchase/predict?example=1").text))
    answer = alice.post("/models/purchase/predict", {**fields, "age": ""})
    page = alice.get(answer.location).text
    assert "Not given: Age." in page
    assert 'value="" autocomplete="off" placeholder="e.g. ' in page


def test_a_number_comes_with_its_usual_error(browser: Open) -> None:
    alice = browser("alice")
    fields = dict(_fields(alice.get("/models/diabetes/predict?example=1").text))
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
    fields = dict(_fields(page))
    answer = alice.post(f"/models/{model}/predict", fields)
    assert answer.status_code == 302, answer.text
    assert alice.get(answer.location).status_code == 200


def _fields(page: str) -> list[tuple[str, str]]:
    found = []
    for part in page.split('id="f')[1:]:
        if 'name="' not in part.split(">")[0] or not part[0].isdigit():
            continue
        name = part.split('name="')[1].split('"')[0]
        chosen = part.split("</select>")[0].split(" selected>")[0].rsplit('value="', 1)[-1].split('"')[0]
        is_select = "<option" in part.split("</div>")[0].split("<input")[0]
        found.append((name, chosen if is_select else part.split('value="')[1].split('"')[0]))
    return found
