"""Links that keep the filters in force, with one changed."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from webapp.services.filters import WORDS

#: Which columns of the list are shown; a feature of the one model looked at is `input.` and its name.
COLUMNS, FEATURE = "columns", "input."


def kept(*, columns: bool = True) -> dict[str, Any]:
    """The filters of this page's address, and the columns chosen."""
    words: dict[str, Any] = {word: request.args[word] for word in WORDS if request.args.get(word)}
    chosen = request.args.getlist(COLUMNS)
    return {**words, COLUMNS: chosen} if columns and chosen else words


def with_(word: str, value: str | int) -> str:
    """The list with one more filter."""
    return url_for("history.index", **{**kept(), word: value})


def without(word: str) -> str:
    """The list with one filter less; without its model, the model's features are no columns either."""
    left = {k: v for k, v in kept().items() if k != word}
    if word == "model" and COLUMNS in left:
        left[COLUMNS] = [c for c in left[COLUMNS] if not c.startswith(FEATURE)]
    return url_for("history.index", **left)


GLOBALS = {"kept": kept, "with_": with_, "without": without}
