"""Texts made ready in Python, where a graph would read them otherwise than scikit-learn does.

ONNX turns no İ into small letters as Python does, takes off no accents, and its tokens end at any letter beyond a to
z. So texts are brought to small letters before they are handed to the graph, whose vectorizers then leave letters as
they are and cut words by Unicode's classes.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from webapp.ml.trees import reachable

#: How a dtype of a layout begins that says what is done to its texts.
TEXT: Final = "text"
#: Python's words as RE2 has them; \b adds nothing to a run that is as long as it can be.
_WORDS: Final = r"[\p{L}\p{N}_]"
_PATTERNS: Final = {
    **dict.fromkeys((r"\b\w\w+\b", r"\w\w+", r"\b\w{2,}\b", r"\w{2,}"), _WORDS + "{2,}"),
    **dict.fromkeys((r"\b\w+\b", r"\w+"), _WORDS + "+"),
}
_BLANKS: Final = re.compile(r"\s\s+")
#: The image that runs this has no other locale of UTF-8.
_LOCALE: Final = "C.UTF-8"

Flags = frozenset[str]


class Readied(NamedTuple):
    """A copy of the estimator for the converter, the converter's options, and the dtype of each column of texts."""

    estimator: Any
    options: dict[int, dict[str, Any]]
    dtypes: dict[str, str]


def preparation(dtype: str) -> Callable[[Any], str]:
    """What a dtype such as “text lower blanks” does to a text; a missing one is read as an empty one."""
    steps = [_STEPS[flag] for flag in dtype.split()[1:]]

    def prepare(text: Any) -> str:
        ready = "" if text is None else str(text)
        for step in steps:
            ready = step(ready)
        return ready

    return prepare


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ASCII", "ignore").decode("ASCII")


#: In the order in which scikit-learn takes them.
_STEPS: Final[dict[str, Callable[[str], str]]] = {
    "lower": str.lower,
    "unicode": _plain,
    "ascii": _ascii,
    "blanks": lambda text: _BLANKS.sub(" ", text),
}


def readied(estimator: Any, names: Sequence[str]) -> Readied | None:
    """None where the estimator cuts no texts into tokens, or cuts a column in ways that need it in two forms."""
    if not any(map(_cuts, reachable(estimator))):
        return None
    own = copy.deepcopy(estimator)
    dtypes: dict[str, str] = {}
    options: dict[int, dict[str, Any]] = {}
    for column, vectorizers in _columns(own, names):
        flags = _flags(vectorizers)
        if flags is None:
            return None
        dtypes[column] = " ".join([TEXT, *(flag for flag in _STEPS if flag in flags)])
        for one in vectorizers:
            pattern = str(one.token_pattern).removeprefix("(?u)")
            own_way = one.analyzer == "word" and _PATTERNS.get(pattern)
            options[id(one)] = {"locale": _LOCALE} | ({"tokenexp": own_way} if own_way else {})
            one.lowercase, one.strip_accents = False, None
    return Readied(own, options, dtypes)


def _cuts(thing: Any) -> bool:
    return hasattr(thing, "build_analyzer") and hasattr(thing, "vocabulary_")


def _columns(estimator: Any, names: Sequence[str]) -> Iterator[tuple[str, list[Any]]]:
    """Each column of texts with the vectorizers that read it."""
    parts = [
        (column, transformer)
        for thing in reachable(estimator)
        for _, transformer, column in getattr(thing, "__dict__", {}).get("transformers_", ())
    ]
    if not parts:
        yield names[0], [thing for thing in reachable(estimator) if _cuts(thing)]
        return
    for name in names:
        read = [t for column, t in parts if column == name or column == [name]]
        found = [thing for t in read for thing in reachable(t) if _cuts(thing)]
        if found:
            yield name, found


def _flags(vectorizers: Sequence[Any]) -> Flags | None:
    """What is to be done to a text that all of them read; None where they differ in that."""
    letters = {(bool(one.lowercase), one.strip_accents) for one in vectorizers}
    if len(letters) > 1:
        return None
    ((lower, accents),) = letters
    flags = {"lower"} if lower else set()
    if accents is not None:
        if accents not in _STEPS:
            return None
        flags.add(str(accents))
    if any(one.analyzer == "char" for one in vectorizers):  # and to cutting by words it makes no difference
        flags.add("blanks")
    return frozenset(flags)
