"""What is reported of an inspection, and nothing else: a report may come from a process that a model has taken over.

{"types": {name: how often}, "refused": [name], "conversion": {"done", "reason"}, "parity": {"rows", "largest"},
"engines": [{"name", "offered", "exact", "reason", "bytes", "one_us", "many_us_per_row", "rows", "agree", "largest",
"score", "score_name", "scored_on"}], "metrics": {name: number or word}, "sizes": {file: bytes},
"seconds": {stage: seconds}, "sandbox": {"landlock", "seccomp"}}; what was not reached is missing. A reason is kept as
`wording.pack` makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any, Final

from webapp.errors import printable
from webapp.wording import pack, unpack

MOST, LONGEST = 100, 400
#: Characters of a sentence.
LONGEST_SAID: Final = 2000


def tidy(given: Any) -> dict[str, Any]:
    """The report without members that are unknown, of another kind, or too many."""
    if not isinstance(given, dict):
        return {}
    found = {name: read(given[name]) for name, read in _MEMBERS.items() if name in given}
    return {name: value for name, value in found.items() if value is not None}


def sentence(given: Any) -> Any:
    """A sentence as `wording.pack` makes it, or bare text; empty for anything else."""
    try:
        text = unpack(given, LONGEST_SAID)
    except ValueError:
        return printable(given[:LONGEST_SAID]) if isinstance(given, str) else ""
    return pack(text) if printable(text) == text else printable(text)


def to_keep(text: str) -> Any:
    """What `sentence` takes for this sentence; bare text where it is too long, or of too many parts, to be one."""
    return sentence(pack(text)) or printable(str(text)[:LONGEST_SAID])


def sentences(given: Any) -> list[Any]:
    """As `sentence`, of a list; anything else is none."""
    return [sentence(one) for one in given[:MOST]] if isinstance(given, list) else []


def spoken(kept: Any) -> str:
    """What `sentence` made, to be shown; bare text of former versions too."""
    try:
        return unpack(kept)
    except ValueError:
        return str(kept)


def told(report: dict[str, Any]) -> dict[str, Any]:
    """A report on file with its sentences to be shown."""
    return report | {
        name: show(report[name])
        for name, show in (("conversion", _spoken), ("engines", _each_spoken))
        if report.get(name)
    }


def manifest_told(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a version with its sentences to be shown; whatever else it holds stays as it is."""
    engines, warnings = manifest.get("engines"), manifest.get("warnings")
    found = {}
    if isinstance(engines, dict):
        options = {"options": _each_spoken(engines["options"])} if "options" in engines else {}
        found["engines"] = _spoken(engines) | options
    if isinstance(warnings, list):
        found["warnings"] = [spoken(text) for text in warnings]
    return manifest | found


def _spoken(kept: Any) -> Any:
    return kept | {"reason": spoken(kept["reason"])} if isinstance(kept, dict) and "reason" in kept else kept


def _each_spoken(kept: Any) -> Any:
    return [_spoken(one) for one in kept] if isinstance(kept, list) else kept


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
    return {"done": given.get("done") is True, "reason": sentence(given.get("reason", ""))}


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
            words = {
                name: _text(known[name]) for name in ("name", "score_name", "scored_on") if name in known
            }
            reason = {"reason": sentence(known["reason"])} if "reason" in known else {}
            found.append(_numbers(known) | flags | words | reason)
    return found


_ENGINE: Final = (
    *("name", "offered", "exact", "reason", "bytes", "one_us"),
    *("many_us_per_row", "rows", "agree", "largest", "score", "score_name", "scored_on"),
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
