"""The ledger in a real browser: keys, saved filters, reviews, and paper in both languages."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.conftest import Desk
from tests.browser.test_desk import ask

Open = Callable[..., Desk]
ODD = ("1.1", "9.5", "9.1", "9.2")


def test_keys_walk_the_list_and_its_records(desk: Open) -> None:
    here = desk("bob")
    older, newer = ask(here), ask(here)
    here.open("/predictions?model=iris")
    page = here.page
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("jk?")
    expect(page.locator("#q")).to_have_value("jk?")
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(page.locator(".ledger .open").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".ledger .open").nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{newer}?model=iris")
    page.keyboard.press("[")
    page.wait_for_url(f"**{older}?model=iris")
    page.keyboard.press("]")
    page.wait_for_url(f"**{newer}?model=iris")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.uncheck("#keys [data-single]")
    page.keyboard.press("Escape")
    page.keyboard.press("[")
    expect(page.locator("#keys")).to_be_hidden()
    assert newer in page.url


def test_a_click_anywhere_on_a_row_opens_it_and_links_in_it_stay_links(desk: Open) -> None:
    here = desk("bob")
    record = ask(here)
    here.open("/predictions")
    here.page.locator(".ledger .given").first.click(force=True)  # what lies above it is the row's own link
    here.page.wait_for_url(f"**{record}")
    here.open("/predictions")
    here.page.locator(".ledger a[href*='channel=form']").first.click()
    here.page.wait_for_url("**channel=form")


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_filters_reviews_and_outcomes_need_no_javascript(desk: Open, language: str) -> None:
    record = ask(desk("bob"), ODD)
    here = desk("bob", java_script_enabled=False, locale=language)
    page = here.page
    page.goto("/predictions?warned=yes&columns=review&columns=outcome")
    page.locator(".drop summary").nth(1).click()
    page.fill("#name", f"warned {language}")
    page.locator(".drop button").nth(1).click()
    page.goto("/predictions")
    page.locator(".drop summary").nth(1).click()
    page.click(f"text=warned {language}")
    assert "warned=yes" in page.url
    page.goto(record)
    page.locator(".judge summary").first.click()
    page.select_option("#decision", index=0)
    page.fill("#reason", "seen in the garden")
    page.locator("#reason").locator("xpath=ancestor::form//button").click()
    page.locator(".judge summary").nth(1).click()
    page.locator("#actual").locator("xpath=ancestor::form//button").click()
    expect(page.locator(".timeline li")).to_have_count(4)
    expect(page.locator(".timeline .review .reason")).to_have_text("seen in the garden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_ledger(desk: Open, scheme: str) -> None:
    here = desk("dave", color_scheme=scheme)
    record = ask(here, ODD, reference="case 9")
    ask(here, reference="case 9")
    paths = ("/predictions", "/predictions?model=iris&columns=score&columns=input.petal_length")
    for path in (*paths, record, "/predictions/saved", f"{record}/print", "/audit/print"):
        here.open(path)
        here.page.evaluate(
            "document.querySelectorAll('.drop, .judge details').forEach(d => { d.open = true; })"
        )
        found = Axe().run(here.page)
        assert found.violations_count == 0, (path, found.generate_report())


def test_the_ledger_fits_a_phone(desk: Open) -> None:
    record = ask(desk("dave"), ODD, reference="case 9")
    here = desk("dave", viewport={"width": 360, "height": 780}, locale="pt-BR")
    every = "&".join(
        f"columns={word}" for word in ("model", "answer", "score", "review", "by", "latency", "record")
    )
    for path in (f"/predictions?model=iris&{every}&columns=input.petal_length", record, "/predictions/saved"):
        here.open(path)
        here.page.evaluate(
            "document.querySelectorAll('.drop, .judge details').forEach(d => { d.open = true; })"
        )
        assert here.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0, path


@pytest.mark.parametrize(
    ("size", "language", "said"), [("A4", "en", "Page 1 of 1"), ("Letter", "pt-BR", "Página 1 de 1")]
)
def test_a_sheet_full_of_features_and_warnings_is_one_page(
    desk: Open, size: str, language: str, said: str
) -> None:
    record = ask(desk("alice"), ODD, reference="a long reference, " * 11)
    here = desk("alice", locale=language, timezone_id="America/Argentina/Buenos_Aires")
    here.open(record)
    here.page.locator(".judge summary").first.click()
    here.page.fill("#reason", "This is not what was seen. " * 70)
    here.page.locator("#reason").locator("xpath=ancestor::form//button").click()
    here.open(f"{record}/print")
    # Four features are no test: the lines are repeated as often as the largest sheet has them.
    here.page.evaluate(
        """() => {
          document.querySelector('.sheet').classList.add('dense');
          const all = document.querySelector('.columns'), one = all.children[0];
          while (all.children.length < 30) all.append(one.cloneNode(true));
          const told = [...document.querySelectorAll('.keep > .small')].filter(e => !e.classList.contains('dim'));
          for (let n = told.length; n < 7; n++) told[0].after(told[0].cloneNode(true));
          const classes = document.querySelector('.classes');
          while (classes.children.length < 8) classes.append(classes.children[0].cloneNode(true));
        }"""
    )
    pages = PdfReader(io.BytesIO(here.page.pdf(prefer_css_page_size=True, format=size))).pages
    assert len(pages) == 1
    assert said in pages[0].extract_text()


def test_a_report_in_portuguese_counts_its_pages_so(desk: Open) -> None:
    ask(desk("dave"))
    here = desk("dave", locale="pt-BR")
    here.open("/audit/print?model=iris")
    pages = PdfReader(io.BytesIO(here.page.pdf(prefer_css_page_size=True))).pages
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert f"Página {number} de {len(pages)}" in page.extract_text()
        assert page.mediabox.width > page.mediabox.height
