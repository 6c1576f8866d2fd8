"""What keeps somebody out of a page, and what does not fit."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PHONE, DESKTOP = 390, 1280
OVERHANG = "document.documentElement.scrollWidth - innerWidth"
HIDDEN = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.getAttribute('aria-label'))"


def barriers(page: Page) -> list[str]:
    """What axe finds: the rule, where, and what would mend it."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']} {n['target']} {n['failureSummary']}" for v in found for n in v["nodes"]]


def overhang(page: Page) -> int:
    """By how much a page is wider than the window, once its charts have followed."""
    for _ in range(30):
        by = int(page.evaluate(OVERHANG))
        if by <= 0:
            return 0
        page.wait_for_timeout(100)
    return by


def unfit(page: Page) -> list[str]:
    """At which of a phone's and a desktop's width a page scrolls sideways; the window is left as it was."""
    before, found = page.viewport_size, []
    for width in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": 900})
        if by := overhang(page):
            found.append(f"{page.url} is {by} px wider than {width}")
    if before:
        page.set_viewport_size(before)
    return found


def cut_off(page: Page) -> list[str]:
    """The names of the tables that have to be scrolled sideways."""
    return list(page.eval_on_selector_all(".scroll", HIDDEN))
