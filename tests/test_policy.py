"""Every address, asked by everybody, answers as the policy table says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests.conftest import CAST, password
from webapp import auth
from webapp.services import users

ENDS_THE_SIGN_IN = {"api.logout", "login.sign_out"}


def doors_of(app: Flask, *, api: bool) -> Iterator[tuple[Rule, str, str]]:
    """Rule, method and path of every address that is not open to anyone."""
    for rule in app.url_map.iter_rules():
        closed = auth.POLICY[rule.endpoint] is not auth.ANYONE and rule.endpoint not in ENDS_THE_SIGN_IN
        if closed and (rule.endpoint.split(".")[0] in auth.TOKEN_FACES) == api:
            _, path = rule.build(dict.fromkeys(rule.arguments, "iris"))  # type: ignore[misc]
            for method in sorted(rule.methods or ()):
                yield rule, method, path


@pytest.mark.parametrize("name", CAST)
def test_the_api_lets_in_the_roles_of_the_table(
    app: Flask, client: FlaskClient, token: Callable[[str], str], name: str
) -> None:
    bearer = {"Authorization": f"Bearer {token(name)}"}
    for rule, method, path in doors_of(app, api=True):
        body = {} if method == "POST" else None
        status = client.open(path, method=method, json=body, headers=bearer).status_code
        allowed = CAST[name] in auth.POLICY[rule.endpoint]
        assert (status not in (401, 403)) is allowed, (name, method, path, status)


@pytest.mark.parametrize("name", CAST)
def test_pages_let_in_the_roles_of_the_table(
    app: Flask, signed_in: Callable[[str], FlaskClient], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    browser = signed_in(name)
    monkeypatch.setattr(auth.csrf, "protect", lambda: None)  # which would refuse first, whoever asks
    app.config["WTF_CSRF_ENABLED"] = False
    for rule, method, path in doors_of(app, api=False):
        answer = browser.open(path, method=method)
        allowed = CAST[name] in auth.POLICY[rule.endpoint]
        assert (answer.status_code != 403) is allowed, (name, method, path, answer.status_code)
        assert not (answer.location or "").startswith("/login")


def test_nobody_gets_past_a_door_unknown(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth.csrf, "protect", lambda: None)
    app.config["WTF_CSRF_ENABLED"] = False
    for _, method, path in doors_of(app, api=True):
        assert client.open(path, method=method).status_code == 401, (method, path)
    for _, method, path in doors_of(app, api=False):
        answer = client.open(path, method=method)
        assert (answer.status_code, (answer.location or "")[:6]) == (302, "/login"), (method, path)


@pytest.mark.parametrize("kind", ["disabled", "refresh", "signed out"])
def test_no_token_that_is_over_opens_any_door(app: Flask, client: FlaskClient, kind: str) -> None:
    pair = client.post("/api/v1/login", json={"username": "dave", "password": password("dave")}).json
    shown = {"Authorization": f"Bearer {pair['refresh_token' if kind == 'refresh' else 'access_token']}"}
    if kind == "disabled":
        users.set_role("paula", "admin", None)
        users.disable("dave", None)
    elif kind == "signed out":
        client.post("/api/v1/logout", headers=shown)
    for rule, method, path in doors_of(app, api=True):
        if rule.endpoint not in auth.CHECKED_AT_COMMIT:
            assert client.open(path, method=method, headers=shown).status_code == 401, (method, path)


def test_no_unsafe_page_changes_anything_without_its_form(
    app: Flask, signed_in: Callable[[str], FlaskClient]
) -> None:
    browser = signed_in("dave")
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or ()) and rule.endpoint.split(".")[0] not in auth.TOKEN_FACES:
            _, path = rule.build(dict.fromkeys(rule.arguments, "iris"))  # type: ignore[misc]
            assert browser.post(path, data={"username": "alice"}).status_code == 400, path
            assert browser.post(path, data="{}", content_type="text/plain").status_code == 400, path


def test_a_page_that_is_only_looked_at_does_nothing(
    signed_in: Callable[[str], FlaskClient], app: Flask
) -> None:
    browser = signed_in("dave")
    for rule in app.url_map.iter_rules():
        if "HEAD" in (rule.methods or ()) and rule.endpoint.split(".")[0] not in auth.TOKEN_FACES:
            _, path = rule.build(dict.fromkeys(rule.arguments, "iris"))  # type: ignore[misc]
            looked, got = browser.head(path), browser.get(path)
            assert (looked.status_code, looked.location) == (got.status_code, got.location), path


@pytest.mark.parametrize("act", ["disable", "reset"])
def test_a_form_takes_no_other_method_than_its_own(
    app: Flask, signed_in: Callable[[str], FlaskClient], act: str
) -> None:
    browser = signed_in("dave")
    before = app.extensions["desk"].watch.numbers(fresh=True)
    browser.head(f"/admin/users/alice/{act}")
    typed = {"current": password("dave"), "password": "several other words", "again": "several other words"}
    browser.head("/account", data=typed)
    assert app.extensions["desk"].watch.numbers(fresh=True) == before


class Late(BytesIO):
    """A body that comes after the account of its sender has been disabled."""

    def readinto(self, buffer: Any) -> int:
        users.disable("dave", None)
        return super().readinto(buffer)


def test_whoever_loses_access_while_sending_a_form_is_out(
    app: Flask, signed_in: Callable[[str], FlaskClient]
) -> None:
    browser = signed_in("dave")
    users.set_role("paula", "admin", None)
    csrf = browser.get("/account").text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    form = urlencode({"csrf_token": csrf, "username": "erin", "role": "none"}).encode()
    kind = "application/x-www-form-urlencoded"
    answer = browser.post(
        "/admin/users", input_stream=Late(form), content_length=len(form), content_type=kind
    )
    assert (answer.status_code, answer.location) == (302, "/login")


def test_what_a_stranger_may_send_a_page_is_small(
    app: Flask, client: FlaskClient, signed_in: Callable[[str], FlaskClient]
) -> None:
    alice = signed_in("alice")
    form = {"data": b"x=" + b"y" * 70_000, "content_type": "application/x-www-form-urlencoded"}
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or ()) and rule.endpoint.split(".")[0] not in auth.TOKEN_FACES:
            _, path = rule.build(dict.fromkeys(rule.arguments, "iris"))  # type: ignore[misc]
            assert client.post(path, **form).status_code == 413, path
            assert alice.post(path, **form).status_code == 400, path
