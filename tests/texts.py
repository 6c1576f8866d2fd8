"""What people read on a page: its texts and the attributes that browsers show or read out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

READ_OUT = frozenset({"title", "placeholder", "aria-label", "alt", "data-copied"})
#: Not words, or (`code`, `pre`, `kbd`) the same in every language.
SILENT = frozenset({"script", "style", "pre", "code", "kbd"})
LETTERS = re.compile(r"[^\W\d_]")


class Texts(HTMLParser):
    """Collects `found`: (line, text) of every text node and every attribute that is read, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self._silent.append(tag)
        given = dict(attrs)
        button = tag == "input" and given.get("type") in ("submit", "button", "reset")
        for name, value in given.items():
            if value and (name in READ_OUT or (button and name == "value")):
                self.found.append((self.getpos()[0], value))

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append((self.getpos()[0], data))


def read(html: str) -> list[tuple[int, str]]:
    """Every text of a page, with its line."""
    parser = Texts()
    parser.feed(html)
    parser.close()
    return parser.found


def texts(html: str) -> Iterator[tuple[int, str]]:
    """Those of them that have a letter."""
    return ((line, text) for line, text in read(html) if LETTERS.search(text))
