"""A model sent on a page, inspected by the worker of a real server, while its page follows."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skops import io as skops_io

from tests.browser.conftest import Desk
from tests.browser.looking import PHONE, barriers, cut_off, unfit
from tests.handing_in import flowers

Open = Callable[..., Desk]
SOON = 120_000  # ms; the process that inspects has its libraries to load


def send(page: Page, name: str, model: bytes, engine: str = "auto") -> None:
    """Send a model that learned from the flowers; its submission is on the page then."""
    page.goto("/models/new")
    page.fill("#name", name)
    page.fill("#target", "target")
    page.fill("#caveats", "Few rows")
    page.select_option("#engine", engine)
    page.set_input_files("#model", {"name": f"{name}.skops", "mimeType": "application/zip", "buffer": model})
    page.set_input_files("#data", {"name": f"{name}.csv", "mimeType": "text/csv", "buffer": flowers()[1]})
    page.click("main button[type=submit]")
    page.wait_for_url("**/submissions/sub_*")


def stranger() -> bytes:
    """A model with a function in it that no desk takes."""
    return bytes(skops_io.dumps(make_pipeline(FunctionTransformer(json.dumps), LogisticRegression())))


def wait_for(page: Page, text: str, script: bool) -> None:
    """Until a submission's page says something: by itself, or because it is asked for again."""
    if not script:
        for _ in range(SOON // 500):
            if text in page.inner_text("main"):
                break
            page.wait_for_timeout(500)
            page.reload()
    expect(page.locator("main")).to_contain_text(text, timeout=SOON)


def test_a_model_goes_live_while_its_page_follows(desk: Open) -> None:
    page = desk("paula").page
    send(page, "flowers", flowers()[0])
    wait_for(page, "It is version 1 of flowers, and answers.", script=True)
    assert page.locator("main a:text-is('Releases')").count() == 0
    page.click("text=See version 1")
    expect(page.locator("main")).to_contain_text("Few rows")


@pytest.mark.parametrize("script", [True, False])
def test_a_later_version_is_promoted_from_its_submission(desk: Open, script: bool) -> None:
    page = desk("paula", java_script_enabled=script).page
    name = f"garden-{script}".lower()
    for version in (1, 2):
        send(page, name, flowers()[0])
        wait_for(page, f"It is version {version} of {name}", script)
    page.click("main a:text-is('Releases')")
    page.click("#v2 summary")
    page.fill("#promote-2", "Better in May")
    page.click("button:text-is('Promote version 2')")
    expect(page.locator(".note.ok")).to_have_text("Version 2 answers from now on.")


@pytest.mark.parametrize("script", [True, False])
def test_a_model_that_is_refused_says_what_it_may_not_hold(desk: Open, script: bool) -> None:
    page = desk("paula", java_script_enabled=script).page
    send(page, "stranger", stranger())
    wait_for(page, "Nothing was published", script)
    expect(page.locator("table:has-text('json.dumps')").first).to_be_visible()
    assert unfit(page) == []
    assert not script or barriers(page) == []  # axe needs JavaScript
    page.goto("/models")
    assert page.locator("main a:has-text('stranger')").count() == 0


@pytest.mark.parametrize("script", [True, False])
def test_an_engine_is_picked_from_those_side_by_side(desk: Open, script: bool) -> None:
    page = desk("paula", java_script_enabled=script).page
    send(page, name := f"picked-{script}".lower(), flowers()[0], "ask")
    wait_for(page, "Waiting for an engine to be picked", script)
    assert unfit(page) == [] and (not script or barriers(page) == [])
    page.set_viewport_size({"width": PHONE, "height": 900})
    assert cut_off(page) == []
    page.check("input[name=engine][value=sklearn]")
    page.click("text=Publish with this engine")
    wait_for(page, f"It is version 1 of {name}", script)
    expect(page.locator("main")).to_contain_text("The publisher picked scikit-learn")
    page.click("text=See version 1")
    expect(page.locator("#engines tr", has=page.locator(".tag.live"))).to_contain_text("scikit-learn")
