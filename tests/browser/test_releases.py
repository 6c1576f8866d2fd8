"""A release by page: promoted, approved, taken back; by mouse and by key, with JavaScript and without."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.browser.conftest import Desk
from tests.browser.looking import DESKTOP, PHONE, barriers, unfit

Open = Callable[..., Desk]
PAGE = "/models/iris/releases"
WAYS = pytest.mark.parametrize(("script", "width"), [(True, PHONE), (False, DESKTOP)])


@pytest.fixture
def server(versioned: str) -> str:
    return versioned


def come(desk: Open, name: str, script: bool = True, width: int = DESKTOP) -> Page:
    return desk(name, java_script_enabled=script, viewport={"width": width, "height": 900}).page


def promote(page: Page, reason: str, button: str = "Promote version 2") -> None:
    page.click("#v2 summary")
    page.fill("#promote-2", reason)
    page.click(f"button:text-is('{button}')")


def roll_back(page: Page) -> None:
    page.goto(page.url.partition("?")[0])
    page.click("main .head button:text-is('Roll back to version 1')")
    expect(page.locator(".note.ok")).to_have_text("Version 1 answers again.")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until what the selector finds has the focus, and can be seen to have it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            assert page.locator(f"{selector}:focus-visible").count()
            return
    raise AssertionError(f"{selector} cannot be reached by key")


@WAYS
def test_a_version_is_promoted_and_taken_back(desk: Open, script: bool, width: int) -> None:
    page = come(desk, "paula", script, width)
    page.goto(PAGE)
    promote(page, "Better in May")
    expect(page.locator(".note.ok")).to_have_text("Version 2 answers from now on.")
    expect(page.locator("#past tbody tr").first).to_contain_text("Better in May")
    expect(page.locator("#v2 .tag.live")).to_be_visible()
    page.click("#v1 summary")
    assert unfit(page) == []
    roll_back(page)
    expect(page.locator("#v1 .tag.live")).to_be_visible()


def test_a_promotion_needs_no_mouse(desk: Open) -> None:
    page = come(desk, "paula")
    page.goto(PAGE)
    tab_to(page, "#v2 summary")
    page.keyboard.press("Enter")
    tab_to(page, "#promote-2")
    page.keyboard.type("Better in May")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".note.ok")).to_have_text("Version 2 answers from now on.")
    tab_to(page, "main .head button")
    page.keyboard.press("Space")
    expect(page.locator(".note.ok")).to_have_text("Version 1 answers again.")


@WAYS
def test_who_decides_upon_what_has_changed_is_told_and_keeps_the_words(
    desk: Open, script: bool, width: int
) -> None:
    paula, dave = desk("paula", java_script_enabled=script), come(desk, "dave", script, width)
    page = paula.page
    page.goto(PAGE)
    dave.goto(PAGE)
    dave.click("#v2 button:text-is('Put it forward')")
    promote(page, "A long story")
    expect(page.locator(".note.danger")).to_contain_text("has changed since you looked")
    expect(page.locator("#promote-2")).to_have_value("A long story")
    paula.complaints.clear()  # the browser notes the 412 itself
    page.click("button:text-is('Promote version 2')")
    expect(page.locator(".note.ok")).to_have_text("Version 2 answers from now on.")
    roll_back(page)


@WAYS
def test_one_asks_and_another_approves(desk: Open, script: bool, width: int) -> None:
    address = "/models/diabetes/releases"
    paula, dave = come(desk, "paula", script, width), come(desk, "dave", script, width)
    dave.goto("/admin/models/diabetes")
    dave.check("[name=two_people]")
    dave.click("main form:has([name=two_people]) button[type=submit]")
    paula.goto(address)
    promote(paula, "A simpler one", "Ask to promote version 2")
    expect(paula.locator(".note.ok")).to_have_text("Somebody else has to approve version 2 now.")
    expect(paula.locator("#waiting button")).to_have_text("Withdraw it")
    dave.goto(address)
    assert unfit(dave) == []
    assert not script or barriers(dave) == []  # axe needs JavaScript
    dave.click("#waiting a:text-is('What differs')")
    expect(dave.locator("main")).to_contain_text("Versions 1 and 2 beside each other.")
    dave.goto(address)
    dave.click("#waiting button:text-is('Approve version 2')")
    expect(dave.locator(".note.ok")).to_have_text("Version 2 answers from now on.")
    expect(dave.locator("#past tbody tr").first).to_contain_text("asked by paula")
    roll_back(dave)


@pytest.mark.parametrize("script", [True, False])
def test_anybody_asks_what_was_live_at_a_moment(desk: Open, script: bool) -> None:
    page = come(desk, "alice", script, PHONE)
    page.goto(PAGE)
    page.fill("#at", "2020-01-01T00:00:00")
    page.click("#past button:text-is('Show')")
    expect(page.locator("#past [role=status]")).to_contain_text("no version of this model answered")
    page.click("#past a:text-is('Now')")
    assert page.locator("#past [role=status]").count() == 0
    assert page.locator("main button:has-text('Promote')").count() == 0


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "pt-BR")])
def test_everybody_can_use_the_forms(desk: Open, theme: str, language: str) -> None:
    page = desk("paula", color_scheme=theme, locale=language).page
    page.goto(PAGE)
    for summary in page.locator("main summary").all():
        summary.click()
    assert barriers(page) == []
    assert unfit(page) == []


def test_paper_shows_what_was_live_and_nothing_to_press(desk: Open) -> None:
    page = come(desk, "paula")
    page.goto(PAGE)
    [sheet] = PdfReader(io.BytesIO(page.pdf(format="A4"))).pages
    text = sheet.extract_text()
    assert "What was live when" in text and "published" in text
    assert [word for word in ("Promote", "Roll back", "alias", "Change") if word in text] == []
