"""A model sent on a page, inspected by the worker of a real server, while its page follows."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Desk
from tests.handing_in import flowers


def test_a_model_goes_live_while_its_page_follows(desk: Callable[..., Desk]) -> None:
    paula = desk("paula")
    paula.open("/models/new")
    page = paula.page
    model, sample = flowers()
    page.fill("#name", "flowers")
    page.fill("#target", "target")
    page.fill("#caveats", "Few rows")
    page.set_input_files("#model", {"name": "flowers.skops", "mimeType": "application/zip", "buffer": model})
    page.set_input_files("#data", {"name": "flowers.csv", "mimeType": "text/csv", "buffer": sample})
    page.click("main button[type=submit]")
    page.wait_for_url("**/submissions/sub_*")
    expect(page.locator("main")).to_contain_text("It is version 1 of flowers, and answers.", timeout=120_000)
    page.click("text=See version 1")
    expect(page.locator("main")).to_contain_text("Few rows")
