"""Text that a spreadsheet can be trusted with."""

from __future__ import annotations

import re
from typing import Any

#: A sign that begins a formula, full width or not, after what a spreadsheet may drop or take for a new cell.
FORMULA = re.compile(r'(^[\s;,"]*|[\s;,"]+)([=+\-@＝＋－＠]?)')
NEW_CELL = re.compile(r"[;,\t\r\n]")
#: What has none of these cannot need an apostrophe: looking for them is much quicker than `safe`.
SUSPECT = re.compile(r"[=+\-@＝＋－＠\t\r\n]")


def safe(value: Any) -> Any:
    """Text with an apostrophe before each sign that a spreadsheet might begin a formula at; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = FORMULA.sub(_disarm, value)
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) else text


def _disarm(found: re.Match[str]) -> str:
    before, sign = found.groups()
    begins = found.start() == 0 or NEW_CELL.search(before)
    return f"{before}'{sign}" if sign and begins else found[0]
