"""What holds for every page: no barrier (axe), no sideways scrolling, little to load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page

from tests.browser.conftest import Desk
from tests.browser.looking import barriers, overhang

Open = Callable[..., Desk]
BUDGET = 150_000
WIDTHS = (360, 768, 1440)
#: Address -> who looks at it. RECORD is filled in.
PAGES = {
    "/": "dave",
    "/?model=iris": "dave",
    "/models": "alice",
    "/models/iris": "alice",
    "/models/iris/card": "alice",
    "/models/iris/compare": "alice",
    "/models/iris/releases": "dave",
    "/models/iris/experiments": "dave",
    "/models/new": "paula",
    "/submissions": "paula",
    "/models/iris/predict": "alice",
    "/models/purchase/predict?example=1": "alice",
    "/models/iris/predict?record=RECORD": "alice",
    "/predictions": "dave",
    "/predictions?q=nothing+like+it": "dave",
    "/predictions/RECORD": "alice",
    "/predictions/RECORD/print": "alice",
    "/audit/print": "carol",
    "/jobs": "alice",
    "/jobs/new": "alice",
    "/account": "alice",
    "/account/second-factor": "alice",
    "/admin/users": "dave",
    "/admin/users/alice": "dave",
    "/admin/models": "dave",
    "/admin/models/iris": "dave",
    "/admin/activity": "carol",
    "/admin/subjects": "carol",
    "/admin/subjects?subject=case+7": "dave",
    "/admin/erase?record=RECORD": "dave",
    "/admin/restrict?record=RECORD": "dave",
    "/admin/retention": "dave",
    "/absent": "alice",
}


def ask(page: Page) -> str:
    """Ask iris about a flower unlike any it has seen; returns the record's id."""
    page.goto("/models/iris/predict?example=1")
    page.fill("#f2", "9")
    page.click("main button[type=submit]")
    page.wait_for_url("**record=*")
    return page.url.split("record=")[1].split("#")[0]


class Visitors:
    """Everybody who is needed, signed in once; `load` is the bytes that a page took over the wire, Plotly apart."""

    def __init__(self, desk: Open, **options: Any) -> None:
        self._desk, self._options, self._known, self._record = desk, options, {}, ""
        self.load = 0.0

    def visit(self, path: str) -> Page:
        """Open an address as whoever looks at it, with nothing kept in the browser."""
        name = PAGES[path]
        if name not in self._known:
            self._known[name] = self._sign_in(name)
        here, network = self._known[name]
        if "RECORD" in path and not self._record:
            self._record = ask(here.page)
        network.send("Network.clearBrowserCache")
        self.load = 0.0
        here.page.goto(path.replace("RECORD", self._record))
        if here.page.locator(".chart-data").count():
            here.page.wait_for_selector(".plot .main-svg")
        if path == "/absent":
            here.complaints.clear()  # the browser notes the 404 itself
        return here.page

    def _sign_in(self, name: str) -> tuple[Desk, CDPSession]:
        here = self._desk(name, **self._options)
        network, heavy = here.page.context.new_cdp_session(here.page), set()
        network.send("Network.enable")

        def received(event: dict[str, Any]) -> None:
            if "plotly" in event["response"]["url"]:
                heavy.add(event["requestId"])

        def loaded(event: dict[str, Any]) -> None:
            self.load += 0 if event["requestId"] in heavy else event["encodedDataLength"]

        network.on("Network.responseReceived", received)
        network.on("Network.loadingFinished", loaded)
        return here, network


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "pt-BR")])
def test_every_page_is_open_to_everybody_and_soon_there(desk: Open, theme: str, language: str) -> None:
    visitors, found = Visitors(desk, color_scheme=theme, locale=language), []
    for path in PAGES:
        page = visitors.visit(path)
        if visitors.load > BUDGET:
            found.append(f"{path} loads {visitors.load} bytes")
        found += [f"{path} {barrier}" for barrier in barriers(page)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if by := overhang(page):
                found.append(f"{path} is {by} px wider than {width}")
        assert visitors.load > 0
    assert not found, "\n".join(found)
