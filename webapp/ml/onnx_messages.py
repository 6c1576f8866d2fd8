"""Looking through all of a graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def messages(root: Any) -> Iterator[Any]:
    """The message and every one within, wherever it stands, so that no position can be forgotten."""
    waiting = [root]
    while waiting:
        message = waiting.pop()
        yield message
        for field, value in message.ListFields():
            if field.message_type is not None:
                waiting.extend(value if field.is_repeated else [value])
