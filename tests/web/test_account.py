"""One's own account, the second step of the sign-in, and the link that sets a password."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html import unescape

import pyotp
import pytest
from flask import Flask

from tests.conftest import password
from tests.web.conftest import Browser
from webapp.auth import visits
from webapp.services import reset_links, second_factor, users
from webapp.services.people import Actor

Open = Callable[[str], Browser]
WORDS = "correct horse battery staple"


def shown(page: str) -> str:
    """What a page shows only once."""
    return re.findall(r'<span class="mono">([^<]{20,})</span>', page)[0]


class Factor:
    """The app of somebody who has just set up a second factor through the pages; `code()` is the next one."""

    def __init__(self, browser: Browser, name: str) -> None:
        page = "/account/second-factor"
        assert browser.post(f"{page}/begin", {"current": password(name)}, page=page).status_code == 302
        begun = browser.get(page).text
        self.app = pyotp.TOTP(shown(begun))
        assert "data:image/svg+xml" in begun
        on = browser.post(f"{page}/confirm", {"code": self.app.now()}, page=page)
        self.codes = re.findall(r'<li class="mono">([a-z0-9-]+)</li>', on.text)

    def code(self) -> str:
        """Of the step after now, and so not used before."""
        return self.app.at(int(time.time()) + 30)


@pytest.fixture
def factor(browser: Open) -> Factor:
    return Factor(browser("alice"), "alice")


def begin(app: Flask, path: str = "/login") -> Browser:
    browser = Browser(app.test_client())
    answer = browser.post(path, {"username": "alice", "password": password("alice")})
    assert (answer.status_code, answer.location.partition("?")[0]) == (302, "/login/code")
    return browser


def test_the_second_step_leads_where_one_was_going(app: Flask, factor: Factor) -> None:
    browser = begin(app, "/login?next=/models")
    assert browser.get("/models").status_code == 302  # not yet
    wrong = browser.post("/login/code?next=/models", {"code": "000000"})
    assert wrong.status_code == 401 and "does not hold" in wrong.text
    assert browser.post("/login/code?next=/models", {"code": factor.code()}).location == "/models"
    assert browser.get("/models").status_code == 200


def test_a_recovery_code_does_as_well(app: Flask, factor: Factor) -> None:
    assert len(factor.codes) == 10
    assert begin(app).post("/login/code", {"code": factor.codes[0]}).status_code == 302
    assert begin(app).post("/login/code", {"code": factor.codes[0]}).status_code == 401


def test_the_second_step_is_of_the_browser_that_took_the_first_and_soon_over(
    app: Flask, factor: Factor, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = begin(app)
    assert Browser(app.test_client()).get("/login/code").location == "/login"
    monkeypatch.setattr(visits, "STEP_SECONDS", 0)
    late = begin(app)
    assert late.get("/login/code").location == "/login"
    assert browser.get("/login/code").status_code == 200


def test_the_second_step_says_when_too_many_codes_were_wrong(app: Flask, factor: Factor) -> None:
    browser = begin(app)
    answers = [browser.post("/login/code", {"code": "000000"}).status_code for _ in range(10)]
    assert answers == [401] * 9 + [429]


def test_who_is_signed_in_stays_so_until_the_second_step_is_done(
    app: Flask, browser: Open, factor: Factor
) -> None:
    bob = browser("bob")
    bob.post("/login", {"username": "alice", "password": password("alice")})
    assert ">bob</a>" in bob.get("/").text


def test_a_program_needs_a_code_too(app: Flask, factor: Factor) -> None:
    client, body = app.test_client(), {"username": "alice", "password": password("alice")}
    without = client.post("/api/v1/login", json=body)
    assert (without.status_code, without.json["type"]) == (401, "/api/v1/docs/errors#code-needed")
    assert "a code" in without.json["detail"]
    assert client.post("/api/v1/login", json={**body, "otp": None}).json["type"] == without.json["type"]
    assert client.post("/api/v1/login", json={**body, "otp": "000000"}).status_code == 401
    assert client.post("/api/v1/login", json={**body, "otp": 1}).json["errors"][0]["pointer"] == "#/otp"
    wrong = client.post("/api/v1/login", json={**body, "password": "wrong", "otp": factor.codes[1]})
    assert wrong.json["type"].endswith("#not-signed-in")
    assert client.post("/api/v1/login", json={**body, "otp": factor.code()}).status_code == 200
    assert client.post("/api/v1/login", json={**body, "otp": factor.codes[1]}).status_code == 200


def test_the_second_factor_is_turned_off_with_password_and_code(browser: Open, app: Flask) -> None:
    alice = browser("alice")
    made, page = Factor(alice, "alice"), "/account/second-factor"
    bad = alice.post(f"{page}/off", {"current": "wrong", "code": made.codes[0]}, page=page)
    assert bad.status_code == 422 and 'id="off-current-wrong"' in bad.text
    form = {"current": password("alice"), "code": "000000"}
    assert 'id="codes-code-wrong"' in alice.post(f"{page}/codes", form, page=page).text
    form["code"] = made.codes[0]
    assert alice.post(f"{page}/codes", form, page=page).text.count('<li class="mono">') == 10
    form["code"] = made.code()
    assert alice.post(f"{page}/off", form, page=page).status_code == 302
    assert "Set it up" in alice.get(page).text


def test_the_secret_is_not_shown_in_another_browser(browser: Open) -> None:
    here, there = browser("alice"), browser("alice")
    page = "/account/second-factor"
    here.post(f"{page}/begin", {"current": password("alice")}, page=page)
    assert "otpauth" not in there.get(page).text and "QR code" not in there.get(page).text


def test_language_and_theme_hold_at_once_in_every_browser(browser: Open) -> None:
    here, there = browser("alice"), browser("alice")
    form = {"language": "pt-BR", "theme": "dark"}
    assert here.post("/account/display", form, page="/account").status_code == 302
    for page in (here.get("/account").text, there.get("/models").text):
        assert '<html lang="pt-BR" data-theme="dark">' in page
    assert '<html lang="en">' in browser("bob").get("/account").text
    here.post("/account/display", {"language": "", "theme": ""}, page="/account")
    assert '<html lang="en">' in there.get("/models").text


def test_only_languages_and_themes_that_there_are(browser: Open) -> None:
    answer = browser("alice").post("/account/display", {"language": "tlh", "theme": "pink"}, page="/account")
    assert answer.status_code == 422
    assert 'id="language-wrong"' in answer.text and 'id="theme-wrong"' in answer.text


def test_a_token_is_shown_once_works_and_can_be_ended(app: Flask, browser: Open) -> None:
    alice, client = browser("alice"), app.test_client()
    made = alice.post("/account/tokens", {"name": "nightly load", "days": "30"}, page="/account")
    token = shown(made.text)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/models", headers=headers).status_code == 200
    page = alice.get("/account").text
    assert "nightly load" in page and token not in page
    [end] = re.findall(r'action="(/account/sign-ins/[^/]+/end)"', page)
    assert alice.post(end, {}, page="/account").status_code == 302
    assert client.get("/api/v1/models", headers=headers).status_code == 401
    assert "ended already" in alice.client.get(alice.post(end, {}, page="/account").location).text


def test_a_token_that_cannot_be_made_keeps_what_was_typed(browser: Open) -> None:
    answer = browser("alice").post("/account/tokens", {"name": "nightly", "days": "many"}, page="/account")
    assert answer.status_code == 422 and 'id="token-days-wrong"' in answer.text
    assert 'value="nightly"' in answer.text and 'value="many"' in answer.text


def test_all_other_browsers_are_signed_out_and_this_one_stays(browser: Open) -> None:
    here, there = browser("alice"), browser("alice")
    assert "this one" in here.get("/account").text
    here.post("/account/sign-ins/end-others", {}, page="/account")
    assert (here.get("/").status_code, there.get("/").status_code) == (200, 302)


def test_nobody_ends_the_sign_ins_of_others(browser: Open) -> None:
    alice, bob = browser("alice"), browser("bob")
    alice.post("/account/tokens", {"name": "hers", "days": "1"}, page="/account")
    [end] = re.findall(r'action="(/account/sign-ins/[^/]+/end)"', alice.get("/account").text)
    bob.post(end, {}, page="/account")
    assert "hers" in alice.get("/account").text


def test_a_one_time_password_shows_the_password_form_alone(app: Flask) -> None:
    given, browser = users.reset_password("alice", None), Browser(app.test_client())
    browser.post("/login", {"username": "alice", "password": given})
    page = browser.get("/account").text
    assert 'name="again"' in page and "second-factor" not in page and "tokens" not in page


def test_a_link_sets_a_password(app: Flask) -> None:
    path, browser = f"/reset/{reset_links.make('alice', None)}", Browser(app.test_client())
    assert browser.post(path, {"password": WORDS, "again": "other"}).status_code == 422
    assert browser.post(path, {"password": "short", "again": "short"}).status_code == 422
    assert browser.post(path, {"password": WORDS, "again": WORDS}).location == "/login"
    assert "The password is set." in browser.get("/login").text
    assert browser.post("/login", {"username": "alice", "password": WORDS}).location == "/"
    gone = Browser(app.test_client()).get(path)
    assert gone.status_code == 404 and "another one" in gone.text


def test_a_language_chosen_at_the_sign_in_stays(app: Flask) -> None:
    browser = Browser(app.test_client())
    browser.post("/login?language=pt-BR", {"username": "alice", "password": password("alice")})
    assert '<html lang="pt-BR"' in browser.get("/models").text


def test_the_second_factor_of_somebody_else_is_reset_by_admins(
    app: Flask, browser: Open, factor: Factor
) -> None:
    dave = browser("dave")
    assert "Reset second factor" in dave.get("/admin/users/alice").text
    dave.post("/admin/users/alice/second-factor", {}, page="/admin/users/alice")
    browser("alice")
    again = dave.post("/admin/users/alice/second-factor", {}, page="/admin/users/alice")
    assert again.status_code == 409 and "alice has no second factor." in again.text


def test_the_operator_resets_it_too(app: Flask, factor: Factor, actor: Callable[[str], Actor]) -> None:
    told = app.test_cli_runner().invoke(args=["user", "reset-second-factor", "alice"])
    assert (told.exit_code, told.output) == (0, "alice signs in with the password alone now.\n")
    assert not second_factor.state(actor("alice").id).on


def test_what_was_typed_into_a_form_goes_through_both_steps(app: Flask, factor: Factor) -> None:
    client = app.test_client()
    page = client.post("/models/iris/predict", data={"petal_length": "1.4"})
    for field, value in (("username", ""), ("code", "000000"), ("code", factor.code())):
        hidden = re.findall(r'name="(csrf_token|carried)" value="([^"]*)"', page.text)
        form = {name: unescape(text) for name, text in hidden} | {field: value}
        path = "/login" if field == "username" else "/login/code"
        signing = {"username": "alice", "password": password("alice")} if field == "username" else {}
        page = client.post(path, data=form | signing)
    assert page.status_code == 200
    assert 'action="/models/iris/fill"' in page.text and 'name="petal_length" value="1.4"' in page.text
