"""The dashboard as people see it: drawn, printed, dark, small, in both languages."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.browser.conftest import Desk
from tests.browser.test_desk import ask
from tests.server import eventually

Open = Callable[..., Desk]


def drawn(here: Desk, path: str = "/?model=iris") -> Page:
    here.open(path)
    expect(here.page.locator(".plot .main-svg").first).to_be_visible()
    return here.page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_nothing_bars_anybody_from_reading_it(desk: Open, scheme: str, language: str) -> None:
    here = desk("carol", color_scheme=scheme, locale=language, viewport={"width": 360, "height": 800})
    ask(desk("alice"))
    page = drawn(here)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    page.locator(".chart summary").first.click()
    found = Axe().run(page)
    assert found.response["violations"] == []


def test_the_period_and_the_filters_are_in_the_address(desk: Open) -> None:
    here = desk("carol")
    here.page.click(".periods a:has-text('Week')")
    here.page.wait_for_url("**/?period=week")
    here.page.select_option("#model", "iris")
    here.page.wait_for_url("**model=iris**")
    expect(here.page.locator(".periods [aria-current]")).to_have_text("Week")
    here.page.select_option("#version", "1")
    here.page.wait_for_url("**version=1**")


def test_colours_follow_the_theme(desk: Open) -> None:
    here = desk("alice", color_scheme="light")
    ask(here)
    page = drawn(here)
    ink = "getComputedStyle(document.querySelector('.xtick text')).fill"
    light = page.evaluate(ink)
    page.emulate_media(color_scheme="dark")
    eventually(lambda: page.evaluate(ink) != light, 10)
    dark = page.evaluate(ink)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    eventually(lambda: page.evaluate(ink) == light, 10)
    assert (light, dark) == ("rgb(86, 100, 107)", "rgb(163, 176, 182)")


def test_a_class_has_the_colour_that_it_has_elsewhere(desk: Open) -> None:
    here = desk("alice")
    ask(here)
    page = drawn(here)
    bar = page.evaluate("getComputedStyle(document.querySelector('.bars .point path')).fill")
    page.goto("/predictions?model=iris")
    assert page.evaluate("getComputedStyle(document.querySelector('.ledger .dot')).backgroundColor") == bar


def test_months_are_named_in_the_language_of_the_page(desk: Open) -> None:
    ask(desk("alice"))
    page = drawn(desk("alice", locale="pt-BR"), "/?model=iris&period=year")
    ticks = " ".join(page.locator(".xtick text").all_text_contents()).lower()
    assert any(name in ticks for name in ("fev", "abr", "mai", "ago", "set", "out", "dez")), ticks
    assert not any(name in ticks for name in ("feb", "apr", "may", "aug", "sep", "oct", "dec")), ticks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_charts_have_patterns_and_dark_ink(desk: Open, scheme: str) -> None:
    here = desk("alice", color_scheme=scheme)
    ask(here)
    page = drawn(here)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.xtick text')).fill") == "rgb(86, 100, 107)"
    )
    assert page.locator(".js-line[style*='dasharray']").count() or page.locator(".lines path").count()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    text = "".join(p.extract_text() for p in PdfReader(io.BytesIO(page.pdf())).pages)
    assert "Model iris" in text
    assert "within" in text


def test_a_chart_is_taken_as_csv(desk: Open) -> None:
    here = desk("alice")
    ask(here)
    page = drawn(here)
    page.locator(".chart summary").first.click()
    with page.expect_download() as saved:
        page.locator(".chart a", has_text="CSV").first.click()
    assert saved.value.suggested_filename == "answers.csv"
