"""The form of a model in a browser: both languages, with JavaScript and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.browser.looking import barriers
from tests.conftest import password

Open = Callable[..., Desk]
PAGE = "/models/iris/predict"


@pytest.mark.parametrize(("locale", "length", "other"), [("en-US", "9.5", "9,5"), ("pt-BR", "9,5", "9.5")])
def test_a_value_is_followed_while_it_is_typed_and_told_of_before_it_is_sent(
    desk: Open, locale: str, length: str, other: str
) -> None:
    page = desk("alice", locale=locale).page
    page.goto(f"{PAGE}?example=1")
    said = page.locator("#f2-foreseen")
    expect(said).to_be_empty()
    page.fill("#f2", length)
    expect(said).to_contain_text("6,9" if locale == "pt-BR" else "6.9")
    expect(page.locator("#f2")).to_have_value(length)  # beyond the slider, and left alone
    page.fill("#f2", other)
    page.keyboard.press("Tab")
    assert "6" not in said.inner_text() and said.inner_text()
    page.fill("#f2", length[0])
    page.press("#f2", "ArrowDown")
    expect(page.locator("#f2")).to_have_value("8" + length[1] + "9")
    page.locator(".field:has(#f2) .slider").fill("2.5")
    expect(page.locator("#f2")).to_have_value(f"2{length[1]}5")
    expect(said).to_be_empty()


def test_a_row_pasted_into_a_field_fills_the_form(desk: Open) -> None:
    page = desk("alice").page
    page.goto(PAGE)
    page.evaluate(
        "const data = new DataTransfer(); data.setData('text/plain', '5.1\\t3.5\\t1.4\\t0.2');"
        "document.getElementById('f0').dispatchEvent("
        "new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}))"
    )
    expect(page.locator("main [role=status] li").first).to_contain_text("4 of 4 fields filled")
    expect(page.locator("#f3")).to_have_value("0.2")
    expect(page.locator("#answer h2")).to_have_text("Before you ask")


def test_a_what_if_moves_the_answer_without_leaving_the_page(desk: Open) -> None:
    here = desk("alice")
    page = here.page
    page.goto(f"{PAGE}?example=1")
    page.click("main button[type=submit]")
    kept = page.url.split("record=")[1].split("#")[0]
    page.check("#live")
    slider = page.locator(".field:has(#f2) .slider")
    for value in ("4.6", "4.9", "5.2"):  # dragging: nothing is sent before it ends
        slider.evaluate(
            "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true})) }", value
        )
    assert page.locator(".before").count() == 0
    slider.dispatch_event("change")
    expect(page.locator("#answer .before")).to_be_visible()
    expect(page.locator("#answer .changes")).to_contain_text("5.2")
    assert f"before={kept}" in page.url
    page.fill("#f2", "99")
    page.keyboard.press("Tab")
    expect(page.locator("#answer [role=alert]")).to_contain_text("at most 30 cm")
    here.complaints.clear()  # the browser notes the 422 itself


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_the_whole_way_by_keyboard(desk: Open, java_script_enabled: bool) -> None:
    here = desk("bob", locale="pt-BR", java_script_enabled=java_script_enabled)
    page = here.page
    page.goto("/models/purchase/predict?example=1")
    page.focus("#f4")  # yes or no
    page.keyboard.press("ArrowRight")
    page.focus("#f1")
    page.keyboard.press("Control+A")
    page.keyboard.type("12,5")
    page.keyboard.press("Enter")
    expect(page.locator("#answer .said")).to_be_visible()
    expect(page.locator("#f1")).to_have_value("12,5")
    page.fill("#f1", "30")
    page.click("[value=what-if]")
    expect(page.locator("#answer .changes")).to_contain_text("12,5")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_its_answer_and_its_errors_offend_no_rule_of_accessibility(desk: Open, scheme: str) -> None:
    here = desk("alice", color_scheme=scheme)
    page = here.page
    page.goto("/models/purchase/predict?example=1")
    assert barriers(page) == []
    page.click("[popovertarget=paste]")
    assert barriers(page) == []
    page.keyboard.press("Escape")
    page.click("main button[type=submit]")
    page.click("[value=what-if]")
    expect(page.locator("#answer .said")).to_be_visible()
    assert barriers(page) == []
    page.fill("#f0", "abc")
    page.click("main button[type=submit]")
    expect(page.locator(".summary")).to_be_focused()
    assert barriers(page) == []
    here.complaints.clear()  # the browser notes the 422 itself


def test_what_was_typed_comes_back_after_signing_in_again(desk: Open) -> None:
    here = desk("alice")
    page = here.page
    page.goto(f"{PAGE}?example=1")
    page.fill("#f2", "2.2")
    page.context.clear_cookies()
    page.click("main button[type=submit]")
    page.fill("#username", "alice")

    page.fill("#password", password("alice"))
    page.click("button[type=submit]")
    expect(page.locator("#f2")).to_have_value("2.2")
    expect(page.locator("#answer h2")).to_have_text("Before you ask")
    here.complaints.clear()  # the browser notes the 401 itself
