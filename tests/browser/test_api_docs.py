"""The page to try the API: one signs in on it, and calls are made with the token."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Desk
from tests.conftest import password

PREDICT = "#operations-predictions-predict_iris"
OPEN = 30_000


def sign_in(page: Page, name: str, word: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(word)
    page.get_by_role("button", name="Sign in").click()


def try_it(page: Page) -> str:
    """The status that the example of the iris model is answered with."""
    operation = page.locator(PREDICT)
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    return operation.locator(".live-responses-table .response-col_status").last.inner_text(timeout=OPEN)


def test_signed_in_a_prediction_is_made_and_forgotten_signed_out(desk: Callable[..., Desk]) -> None:
    at = desk("alice")  # signed in to the pages, which the API does not care for
    at.open("/api/v1/docs")
    expect(at.page.locator(PREDICT)).to_be_visible(timeout=OPEN)
    sign_in(at.page, "alice", password("alice"))
    expect(at.page.get_by_text("Calls from this page are made as alice")).to_be_visible()
    expect(at.page.locator(PREDICT)).to_be_visible(timeout=OPEN)
    assert try_it(at.page).split()[0] == "200"
    assert at.page.evaluate("Object.keys(localStorage).concat(Object.keys(sessionStorage))") == []
    at.page.get_by_role("button", name="Sign out").click()
    expect(at.page.get_by_label("Username")).to_be_visible()


def test_a_stranger_sees_models_only_signed_in(desk: Callable[..., Desk]) -> None:
    at = desk()
    at.open("/api/v1/docs")
    expect(at.page.locator("#operations-predictions-predict")).to_be_visible(timeout=OPEN)
    assert at.page.locator(PREDICT).count() == 0
    sign_in(at.page, "alice", password("alice"))
    expect(at.page.locator(PREDICT)).to_be_visible(timeout=OPEN)


def test_why_a_sign_in_is_refused_is_told(desk: Callable[..., Desk]) -> None:
    at = desk()
    at.open("/api/v1/docs")
    sign_in(at.page, "alice", "wrong")
    expect(at.page.get_by_role("alert")).to_contain_text("password")
    at.complaints[:] = [told for told in at.complaints if "401" not in told]
