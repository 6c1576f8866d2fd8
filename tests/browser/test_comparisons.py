"""Versions beside each other in a browser: on the rows they learned from, and on what is asked of the desk."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desk
from tests.browser.looking import DESKTOP, PHONE, barriers, cut_off, unfit

Open = Callable[..., Desk]
PAGE = "/models/purchase/experiments"
WAYS = pytest.mark.parametrize(("script", "width"), [(True, PHONE), (False, DESKTOP)])


@pytest.fixture
def server(versioned: str) -> str:
    return versioned


def come(desk: Open, name: str, script: bool = True, width: int = DESKTOP, **options: str) -> Page:
    size = {"width": width, "height": 900}
    return desk(name, java_script_enabled=script, viewport=size, **options).page


def begin(page: Page, kind: str, share: str) -> str:
    """Begin a comparison of purchase's two versions; its address."""
    page.goto(PAGE)
    page.check(f"[name=kind][value={kind}]")
    page.fill("#share", share)
    page.click("main button:text-is('Begin')")
    expect(page.locator(".note.ok")).to_have_text("The comparison has begun.")
    return page.url


def ask(page: Page, subject: str) -> None:
    page.goto("/models/purchase/predict?example=1")
    page.fill("#subject", subject)
    page.click("#ask button.btn-primary")
    expect(page.locator("#answer .said")).to_be_visible()


def end(page: Page, address: str) -> None:
    page.goto(address)
    page.click("main button:text-is('End it')")
    expect(page.locator(".note.ok")).to_contain_text("The comparison has ended")


@WAYS
def test_a_shadow_is_begun_followed_and_ended(desk: Open, script: bool, width: int) -> None:
    page = come(desk, "paula", script, width)
    address = begin(page, "shadow", "100")
    expect(page.locator("main")).to_contain_text("Nothing has been answered by both yet")
    ask(come(desk, "alice"), "case 7")
    agreed = page.locator("dt:text-is('Same class') + dd")
    for _ in range(20):
        page.goto(address)
        if agreed.count():
            break
        page.wait_for_timeout(250)
    expect(agreed).to_contain_text("1 of 1")
    assert unfit(page) == []
    page.goto(PAGE)
    expect(page.locator(".note a")).to_have_text("See how it does")
    assert unfit(page) == []
    end(page, address)
    assert page.locator("main button:text-is('End it')").count() == 0


@WAYS
def test_an_a_b_test_shares_the_subjects_out(desk: Open, script: bool, width: int) -> None:
    page, alice = come(desk, "paula", script, width), come(desk, "alice")
    address = begin(page, "split", "50")
    for n in range(12):
        ask(alice, f"case {n}")
    page.goto(address)
    answers = page.locator("tr:has(th:text-is('Answers')) td").all_inner_texts()
    assert sum(map(int, answers)) == 12
    assert "0" not in answers
    assert unfit(page) == []
    end(page, address)


def test_a_share_that_is_none_is_said_at_its_field(desk: Open) -> None:
    here = desk("paula")
    here.page.goto(PAGE)
    here.page.check("[name=kind][value=split]")
    here.page.fill("#share", "half")
    here.page.click("main button:text-is('Begin')")
    expect(here.page.locator("#share-wrong")).to_contain_text("must be a number of per cent")
    expect(here.page.locator("#share")).to_have_value("half")
    expect(here.page.locator("[value=split]")).to_be_checked()
    here.complaints.clear()  # the browser notes the 422 itself


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "pt-BR")])
def test_everybody_can_follow_a_comparison(desk: Open, theme: str, language: str) -> None:
    address = begin(come(desk, "paula"), "shadow", "100")
    page = come(desk, "paula", width=PHONE, color_scheme=theme, locale=language)
    for path in (PAGE, address, "/models/iris/compare?from=1&to=2"):
        page.goto(path)
        assert barriers(page) == []
        assert unfit(page) == []
    end(come(desk, "dave"), address)


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_a_phone_shows_both_versions_at_once(desk: Open, language: str) -> None:
    address = begin(come(desk, "paula"), "shadow", "100")
    page = come(desk, "paula", width=PHONE, locale=language)
    page.goto(address)
    assert cut_off(page) == []
    page.goto("/models/iris/compare?from=1&to=2")
    assert len(cut_off(page)) <= 1  # whole rows have as many columns as the model takes
    end(come(desk, "dave"), address)


@WAYS
def test_two_versions_are_chosen_and_compared(desk: Open, script: bool, width: int) -> None:
    page = come(desk, "alice", script, width)
    page.goto("/models/iris")
    page.select_option("#compare-from", "2")
    page.select_option("#compare-to", "2")
    page.click("main button:text-is('Compare')")
    expect(page.locator("main")).to_contain_text("This is the same version twice; choose another one.")
    assert page.locator("main table").count() == 0
    page.select_option("#compare-from", "1")
    page.click("main button:text-is('Compare')")
    expect(page.locator("dt:text-is('Answered alike') + dd")).to_contain_text("of 112")
    assert unfit(page) == []
