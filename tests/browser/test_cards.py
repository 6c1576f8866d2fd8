"""The model card, on the screen and on paper."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.conftest import Desk
from tests.browser.looking import overhang, unfit

Open = Callable[..., Desk]
PAGE = "/models/{}/card"


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("model", ["iris", "diabetes"])
def test_a_card_fits_a_phone(desk: Open, model: str, script: bool) -> None:
    page = desk("alice", java_script_enabled=script).page
    page.goto(PAGE.format(model))
    assert unfit(page) == []
    expect(page.locator("button:text-is('Print')")).to_be_visible(visible=script)
    page.click("text=Back to the model")
    expect(page.locator("main h2").first).to_have_text("Card")


@pytest.mark.parametrize("size", ["A4", "Letter"])
def test_a_card_is_two_sheets_with_its_evidence(desk: Open, size: str) -> None:
    page = desk("alice").page
    page.goto(PAGE.format("diabetes"))
    sheets = PdfReader(io.BytesIO(page.pdf(format=size))).pages
    text = "\n".join(sheet.extract_text() for sheet in sheets)
    assert len(sheets) == 2
    for words in (
        "Model card",
        "95 % interval",
        "Where it comes from",
        "SHA-256",
        "printed by alice",
        "Page 2 of 2",
    ):
        assert words in text
    assert "Back to the model" not in text and "Copy" not in text


def test_its_engines_fit_the_width_of_paper(desk: Open) -> None:
    page = desk("alice", viewport={"width": 650, "height": 900}).page  # Letter between margins of 18 mm
    page.goto(PAGE.format("iris"))
    page.emulate_media(media="print")
    assert page.locator("table.engines tbody tr").count() > 1 and overhang(page) == 0


def test_portuguese_is_printed_as_it_is_written(desk: Open) -> None:
    page = desk("alice", locale="pt-BR").page
    page.goto(PAGE.format("iris"))
    text = "\n".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf())).pages)
    assert "Página 1 de " in text and "95%" in text and "95 %" not in text
