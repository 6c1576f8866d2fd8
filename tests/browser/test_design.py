"""The design system: what it is made of, in both themes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask

from config import ROOT
from tests.browser import gallery
from tests.browser.conftest import Desk

CSS = (ROOT / "static" / "app.css").read_text()
TOKENS = dict(re.findall(r"^  --([a-z0-9-]+): (light-dark\(.*?\)|#[0-9a-f]{6});", CSS, re.MULTILINE))
MACROS = re.findall(r"{% macro (\w+)", (ROOT / "templates" / "_macros.html").read_text())
PAGE = (ROOT / "docs" / "reference" / "design.md").read_text()
GROUNDS = ("ground", "ground-2")
#: WCAG 2.2: 4.5 for text, 3 for borders of fields, marks and bars.
TEXT = ("ink", "ink-2", "accent", "accent-2", "ok", "notice", "warning", "danger")
MARKS = ("line-2", "accent")
ON = (
    ("warning", "warning-ground"),
    ("danger", "danger-ground"),
    ("accent-2", "accent-ground"),
    ("on-accent", "accent"),
)


def colour(token: str, theme: str) -> str:
    both = re.findall(r"#[0-9a-f]{6}", TOKENS[token])
    return both[-1] if theme == "dark" else both[0]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_written_can_be_read(theme: str) -> None:
    pairs = [(token, ground, 4.5) for token in TEXT for ground in GROUNDS]
    pairs += [(token, ground, 3.0) for token in MARKS for ground in GROUNDS]
    pairs += [(token, ground, 4.5) for token, ground in ON]
    found = {(t, g): contrast(colour(t, theme), colour(g, theme)) for t, g, _ in pairs}
    assert [(t, g, round(found[t, g], 2)) for t, g, least in pairs if found[t, g] < least] == []


@pytest.mark.parametrize("name", ["app.css", "print.css"])
def test_no_rule_is_swallowed_by_one_left_open(name: str) -> None:
    depth, swallowed = 0, []
    for line in re.sub(r"/\*.*?\*/", "", (ROOT / "static" / name).read_text(), flags=re.DOTALL).splitlines():
        if depth and line and not line.startswith((" ", "}")):  # what stands within another rule is indented
            swallowed.append(line)
        depth += line.count("{") - line.count("}")
    assert (depth, swallowed) == (0, [])


def test_the_page_on_design_names_every_token_and_macro() -> None:
    assert [t for t in TOKENS if f"`--{t}`" not in PAGE] == []
    assert [m for m in MACROS if f"`m.{m}" not in PAGE] == []


def test_the_gallery_shows_every_macro() -> None:
    shown = gallery.PAGE.read_text()
    assert [m for m in MACROS if f"m.{m}(" not in shown] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_gallery_has_no_barrier(desk: Callable[..., Desk], app: Flask, theme: str, width: int) -> None:
    here = desk("alice", color_scheme=theme, viewport={"width": width, "height": 900})
    html = gallery.page(app)
    here.page.route("**/gallery", lambda route: route.fulfill(body=html, content_type="text/html"))
    here.open("/gallery")
    found = Axe().run(here.page).response["violations"]
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == []
    assert here.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
