"""Regular expressions that cut texts into tokens: which of them take a time in proportion to any text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]  # typeshed leaves them out
from typing import Any, Final

#: of characters in a pattern, and of those that one attempt looks at before it repeats
LONGEST: Final = 200
_ONE: Final = frozenset({_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN})
_BOUNDARY: Final = (_constants.AT, _constants.AT_BOUNDARY)

Items = list[tuple[Any, Any]]


def is_linear(pattern: str) -> bool:
    """Whether finding all its matches takes a time in proportion to the text, as far as we can tell.

    Only what is plainly so: single characters or classes, of which the last of each alternative may be repeated.
    """
    if len(pattern) > LONGEST:
        return False
    try:
        paths = [_steps(path) for path in _paths(list(_parser.parse(pattern)))]
    except (re.error, OverflowError, RecursionError):
        return False
    return all(steps is not None for steps in paths) and sum(filter(None, paths)) <= LONGEST


def _paths(items: Items) -> Iterator[Items]:
    """The alternatives at its end, each from the beginning, with groups opened."""
    for at, (kind, value) in enumerate(items):
        before, after = items[:at], items[at + 1 :]
        if kind is _constants.SUBPATTERN and not value[1] and not value[2]:  # no flags of its own
            yield from _paths([*before, *value[3], *after])
            return
        if kind is _constants.BRANCH and not after:
            for option in value[1]:
                yield from _paths([*before, *option])
            return
    yield items


def _steps(path: Items) -> int | None:
    """How many characters an attempt looks at before it repeats; None if it may look at all of them in vain."""
    begins, ends = path[:1] == [_BOUNDARY], path[-1:] == [_BOUNDARY]
    path = path[begins : len(path) - ends]
    steps = 0
    for at, (kind, value) in enumerate(path):
        least, most, inner = value if kind is _constants.MAX_REPEAT else (1, 1, [(kind, value)])
        if len(inner) != 1 or inner[0][0] not in _ONE:
            return None
        # At its end nothing after it can fail. A boundary can, but then no other boundary is near to start from.
        if least != most and (at < len(path) - 1 or (ends and not begins)):
            return None
        steps += least
    return steps
