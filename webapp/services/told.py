"""Sentences on file: as they were said, so that a page can still say them in its reader's language."""

from __future__ import annotations

import re
from typing import Any

from webapp.wording import Said, said

VARIABLE = re.compile(r"“[^”]*”|[-+]?\d[\d.,e+-]*")


def pack(text: str) -> Any:
    """Plain JSON for a sentence."""
    if isinstance(text, Said) and not text.plural:
        return [text.template, {name: pack_value(value) for name, value in text.values.items()}]
    return str(text)


def pack_value(value: object) -> Any:
    """A value in a sentence, itself a sentence or not."""
    return pack(value) if isinstance(value, str) else value if isinstance(value, (int, float)) else str(value)


def unpack(kept: Any) -> str:
    """The sentence again."""
    if isinstance(kept, str):
        return kept
    template, values = kept
    return said(
        template, **{name: unpack(v) if isinstance(v, (str, list)) else v for name, v in values.items()}
    )


def kind(text: str) -> str:
    """The same for sentences that differ in their values only."""
    return text.template if isinstance(text, Said) else VARIABLE.sub("…", text)
