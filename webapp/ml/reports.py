"""What is reported of an inspection, and nothing else: a report may come from a process that a model has taken over.

{"types": {name: how often}, "refused": [name], "conversion": {"done", "reason"}, "parity": {"rows", "largest"},
"engines": [{"name", "offered", "exact", "reason", "bytes", "one_us", "many_us_per_row", "rows", "agree", "largest",
"score", "score_name"}], "metrics": {name: number or word}, "sizes": {file: bytes}, "seconds": {stage: seconds},
"sandbox": {"landlock", "seccomp"}}; what was not reached is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any, Final

from webapp.errors import printable

MOST, LONGEST = 100, 400


def tidy(given: Any) -> dict[str, Any]:
    """The report without members that are unknown, of another kind, or too many."""
    if not isinstance(given, dict):
        return {}
    found = {name: read(given[name]) for name, read in _MEMBERS.items() if name in given}
    return {name: value for name, value in found.items() if value is not None}


def _pairs(given: Any) -> Iterable[tuple[str, Any]]:
    items = list(given.items())[:MOST] if isinstance(given, dict) else []
    return ((_text(name), value) for name, value in items)


def _text(given: Any) -> str:
    return printable(str(given)[:LONGEST])


def _plain(given: Any) -> bool:
    return isinstance(given, bool | int | float) and -(2**53) < given < 2**53 and isfinite(given)


def _numbers(given: Any) -> dict[str, Any]:
    return {name: value for name, value in _pairs(given) if _plain(value)}


def _words(given: Any) -> list[str]:
    return [_text(word) for word in given[:MOST]] if isinstance(given, list) else []


def _conversion(given: Any) -> dict[str, Any] | None:
    if not isinstance(given, dict):
        return None
    return {"done": given.get("done") is True, "reason": _text(given.get("reason", ""))}


def _metrics(given: Any) -> dict[str, Any]:
    on = given.get("on") if isinstance(given, dict) else None
    return _numbers(given) | ({"on": on} if on in ("test data", "training data") else {})


def engines(given: Any) -> list[dict[str, Any]]:
    """The engines side by side, without what is unknown or of another kind; one without a name is left out."""
    found = []
    for one in given[:MOST] if isinstance(given, list) else []:
        known = {name: one[name] for name in _ENGINE if name in one} if isinstance(one, dict) else {}
        if isinstance(known.get("name"), str):
            flags = {name: known.get(name) is True for name in ("offered", "exact")}
            words = {name: _text(known[name]) for name in ("name", "reason", "score_name") if name in known}
            found.append(_numbers(known) | flags | words)
    return found


_ENGINE: Final = (
    *("name", "offered", "exact", "reason", "bytes", "one_us"),
    *("many_us_per_row", "rows", "agree", "largest", "score", "score_name"),
)
_MEMBERS: Final[dict[str, Callable[[Any], Any]]] = {
    "types": _numbers,
    "refused": _words,
    "conversion": _conversion,
    "parity": _numbers,
    "engines": engines,
    "metrics": _metrics,
    "sizes": _numbers,
    "seconds": _numbers,
    "sandbox": _numbers,
}
