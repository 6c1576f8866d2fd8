"""The rule of retention, by page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests.erasing import fill
from tests.web.conftest import Browser
from webapp.db.base import session
from webapp.services import retention

Open = Callable[[str], Browser]
PATH, RULE = "/admin/retention", "/admin/retention/rule"


def test_the_rule_is_told_and_only_admins_set_it(browser: Open, app: Flask) -> None:
    page = browser("carol").get(PATH).text
    assert "183 days" in page and 'name="days"' not in page
    assert browser("carol").post(RULE, {}, page="/account").status_code == 403
    dave = browser("dave")
    form = {"keep": "days", "days": "365", "floor_days": "183", "looked": ""}
    assert dave.post(RULE, form, page=PATH).status_code == 302
    assert (rule := retention.rule(None)) and (rule.days, rule.floor_days) == (365, 183)
    assert "365 days" in browser("carol").get(PATH).text
    assert dave.post(RULE, {**form, "keep": "ever", "days": ""}, page=PATH).status_code == 302
    session().rollback()
    assert retention.rule(None).days is None


def test_what_would_go_is_shown_before_it_goes(browser: Open, app: Flask) -> None:
    fill(session(), 3, lambda _: {})
    dave, form = browser("dave"), {"keep": "days", "days": "365", "floor_days": "183", "looked": ""}
    answer = dave.post(RULE, form, page=PATH)
    assert answer.status_code == 422 and "would erase 3 records" in answer.text
    assert "What 365 days would erase now" in answer.text and 'name="looked" value="365"' in answer.text
    assert retention.rule(None).days is None
    assert dave.post(RULE, {**form, "looked": "365"}, page=PATH).status_code == 302
    assert "Waiting to be erased" in dave.get(PATH).text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"days": "x"}, "must be a whole number of days"),
        ({"days": "0"}, "must be 1 to"),
        ({"days": "40000"}, "must be 1 to"),
        ({"days": "100"}, "must be at least 183"),
        ({"days": "100", "floor_days": "90"}, "must be LESS THAN SIX MONTHS"),
        ({"floor_days": "-1"}, "must be a whole number of days"),
        ({}, "must be a whole number of days"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_beside_its_field(
    browser: Open, app: Flask, form: dict[str, str], said: str
) -> None:
    answer = browser("dave").post(RULE, {"keep": "days", "days": "", "floor_days": "183", **form}, page=PATH)
    assert answer.status_code == 422 and said in answer.text
    assert retention.rule(None) == retention.Rule(None, 183)


def test_less_than_six_months_needs_words(browser: Open, app: Flask) -> None:
    form = {"keep": "days", "days": "100", "floor_days": "90", "typed": "MENOS DE SEIS MESES"}
    assert browser("dave").post(RULE, form, page=PATH).status_code == 302
    assert "not less than 90 days" in browser("carol").get("/admin/activity").text
