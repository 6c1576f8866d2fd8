"""Accounts in a real browser: from a link to a second factor, in both languages, and what axe says of every page."""

from __future__ import annotations

import time
from collections.abc import Callable

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import Desk

Open = Callable[..., Desk]
WORDS = "correct horse battery staple"


def sign_in(here: Desk) -> None:
    here.page.goto("/login")
    here.page.fill("#username", "erin")
    here.page.fill("#password", WORDS)
    here.page.click("main button[type=submit]")


def test_a_new_person_chooses_a_password_a_language_and_a_second_factor(desk: Open) -> None:
    admin = desk("dave").page
    admin.goto("/admin/users")
    admin.fill("#username", "erin")
    admin.check("input[value=link]")
    admin.click("#add button[type=submit]")
    here = desk(java_script_enabled=False)
    page = here.page
    page.goto(str(admin.locator(".note .mono").inner_text()))
    page.fill("#password", WORDS)
    page.fill("#again", WORDS)
    page.click("main button[type=submit]")
    sign_in(here)
    page.goto("/account")
    page.check("input[value=pt-BR]")
    page.check("input[value=dark]")
    page.click("#display button")
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/account/second-factor")
    page.fill("#begin-current", WORDS)
    page.click("main button[type=submit]")
    app = pyotp.TOTP(page.locator(".steps .mono").inner_text())
    page.fill("#code", app.now())
    page.click("main form button[type=submit]")
    code = page.locator(".recovery li").first.inner_text()
    other = desk()
    for shown in (app.at(int(time.time()) + 30), code):
        sign_in(other)
        expect(other.page.locator("#code")).to_be_visible()
        other.page.fill("#code", shown)
        other.page.click("main button[type=submit]")
        expect(other.page.locator("html")).to_have_attribute("lang", "pt-BR")
        assert "/login" not in other.page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_account_and_admin(desk: Open, scheme: str) -> None:
    here = desk("dave", color_scheme=scheme)
    paths = ("/account", "/account/second-factor", "/admin/users", "/admin/users/alice")
    for path in (*paths, "/admin/models", "/admin/models/iris", "/admin/activity"):
        here.page.goto(path)
        found = Axe().run(here.page)
        assert found.violations_count == 0, (path, found.generate_report())
    out = desk(color_scheme=scheme)
    out.page.goto("/login")
    assert Axe().run(out.page).violations_count == 0
