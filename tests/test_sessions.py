"""Browser sessions: how they start, and everything that ends them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import password
from webapp.db import TokenFamily
from webapp.db.base import session
from webapp.services import guesses, users

Browser = Callable[[str], FlaskClient]


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/models").status_code == 200


def cookie(browser: FlaskClient) -> str:
    found = browser.get_cookie("parecer")
    assert found is not None
    return found.value


def token_in(page: str) -> str:
    return page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]


def send(browser: FlaskClient, page: str, **form: str) -> int:
    csrf = token_in(browser.get(page).text)
    target = form.pop("to", page)
    return browser.post(target, data={"csrf_token": csrf, **form}).status_code


def test_a_visitor_is_led_to_the_sign_in_and_back(app: Flask) -> None:
    browser = app.test_client()
    answer = browser.get("/predictions?label=setosa&q=ção")
    assert (answer.status_code, answer.location.split("?")[0]) == (302, "/login")
    form = {"username": "alice", "password": password("alice")}
    assert send(browser, answer.location, **form) == 302
    assert is_in(browser)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/%5Cevil.example", "/%09/evil.example"]
)
def test_a_sign_in_leads_nowhere_else(app: Flask, target: str) -> None:
    browser = app.test_client()
    csrf = token_in(browser.get("/login").text)
    form = {"csrf_token": csrf, "username": "alice", "password": password("alice")}
    assert browser.post(f"/login?next={target}", data=form).location == "/"


@pytest.mark.parametrize(
    "end",
    [
        lambda: users.disable("alice", None),
        lambda: users.reset_password("alice", None),
        lambda: users.set_role("alice", "auditor", None),
    ],
    ids=["disable", "reset", "role"],
)
def test_a_session_dies_with_what_it_rests_on(signed_in: Browser, end: Callable[[], object]) -> None:
    browser = signed_in("alice")
    assert is_in(browser)
    end()
    assert not is_in(browser)


def test_a_copied_cookie_is_dead_after_sign_out(signed_in: Browser) -> None:
    browser = signed_in("alice")
    copy = cookie(browser)
    assert send(browser, "/account", to="/logout") == 302
    browser.set_cookie("parecer", copy)
    assert not is_in(browser)


def test_a_password_change_keeps_this_browser_in_and_no_other(signed_in: Browser) -> None:
    here, there = signed_in("alice"), signed_in("alice")
    copy, new = cookie(here), "a new and longer one"
    assert send(here, "/account", current=password("alice"), password=new, again=new) == 302
    assert is_in(here) and not is_in(there)
    here.set_cookie("parecer", copy)
    assert not is_in(here)


def test_a_session_ends_when_unused(app: Flask, signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, now, idle = signed_in("alice"), time.time(), app.config["SESSION_IDLE_SECONDS"]
    for minutes in range(3):
        monkeypatch.setattr(time, "time", lambda ahead=minutes: now + ahead * (idle - 60))
        assert is_in(browser)
    monkeypatch.setattr(time, "time", lambda: now + 2 * (idle - 60) + idle + 1)
    assert not is_in(browser)


def test_a_session_ends_in_any_case(signed_in: Browser) -> None:
    browser = signed_in("alice")
    family = session().query(TokenFamily).one()
    family.expires_us = family.created_us
    session().commit()
    assert not is_in(browser)


def test_signing_in_starts_a_session_of_its_own(app: Flask) -> None:
    browser = app.test_client()
    with browser.session_transaction() as planted:
        planted["left"] = "by somebody else"
    assert send(browser, "/login", username="alice", password=password("alice")) == 302
    with browser.session_transaction() as own:
        assert "left" not in own and own["_user_id"]


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_signing_in_again_ends_the_session_before(signed_in: Browser, name: str) -> None:
    browser, elsewhere = signed_in("alice"), signed_in("alice")
    copy = cookie(browser)
    assert send(browser, "/login", username=name, password=password(name)) == 302
    assert is_in(browser) and is_in(elsewhere)
    browser.set_cookie("parecer", copy)
    assert not is_in(browser)


def test_signing_in_again_ends_even_a_session_left_unused(app: Flask, signed_in: Browser) -> None:
    browser = signed_in("alice")
    with browser.session_transaction() as own:
        own["seen"] -= app.config["SESSION_IDLE_SECONDS"] + 1
    assert send(browser, "/login", username="alice", password=password("alice")) == 302
    assert [f.revoked_us is None for f in session().query(TokenFamily).order_by("created_us")] == [
        False,
        True,
    ]


def test_a_refused_sign_in_ends_nothing(signed_in: Browser) -> None:
    browser = signed_in("alice")
    assert send(browser, "/login", username="alice", password="a wrong one") == 401
    assert is_in(browser)


def test_a_one_time_password_leads_to_the_account_page_only(app: Flask) -> None:
    given, browser = users.reset_password("alice", None), app.test_client()
    assert send(browser, "/login", username="alice", password=given) == 302
    for path in ("/", "/models", "/predictions", "/models/iris/predict"):
        assert browser.get(path).location == "/account"
    new = "a new and longer one"
    assert send(browser, "/account", current=given, password=new, again=new) == 302
    assert is_in(browser)


def test_the_cookie_is_for_this_host_and_out_of_reach_of_scripts(app: Flask) -> None:
    browser = app.test_client()
    csrf = token_in(browser.get("/login").text)
    form = {"csrf_token": csrf, "username": "alice", "password": password("alice")}
    (header,) = browser.post("/login", data=form).headers.getlist("Set-Cookie")
    assert "HttpOnly" in header and "SameSite=Lax" in header and "Domain" not in header and "Path=/" in header


def test_a_name_that_rests_is_told_for_how_long(app: Flask) -> None:
    for _ in range(guesses.MOST):
        guesses.spend("alice", "127.0.0.1")
    browser = app.test_client()
    form = {
        "csrf_token": token_in(browser.get("/login").text),
        "username": "alice",
        "password": password("alice"),
    }
    answer = browser.post("/login", data=form)
    assert answer.status_code == 429
    assert 890 < int(answer.headers["Retry-After"]) <= 900
