"""Links that keep the filters in force, with one changed."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from webapp.services.filters import WORDS


def kept() -> dict[str, Any]:
    """The filters of this page's address."""
    return {word: request.args[word] for word in WORDS if request.args.get(word)}


def with_(word: str, value: str) -> str:
    """This page with one more filter."""
    return url_for("history.index", **{**kept(), word: value})


def without(word: str) -> str:
    """This page with one filter less."""
    return url_for("history.index", **{k: v for k, v in kept().items() if k != word})


GLOBALS = {"kept": kept, "with_": with_, "without": without}
