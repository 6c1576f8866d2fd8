"""What people call the engines of a model, and what each of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask_babel import gettext, lazy_gettext

from webapp.services.submissions import WISHES
from webapp.web.languages import told
from webapp.web.words import number
from webapp.wording import Said

#: The smallest difference that is told by its figure.
SEEN = 0.0001
NAMES = {
    "auto": lazy_gettext("the fastest that answers exactly alike"),
    "ask": lazy_gettext("all side by side first"),
    "sklearn": "scikit-learn",
    "onnx": "ONNX",
    "onnx-float32": lazy_gettext("ONNX in single precision"),
    "onnx-int8": lazy_gettext("ONNX quantised to 8 bits"),
    "pruned": lazy_gettext("pruned"),
    "distilled": lazy_gettext("distilled"),
}
WHAT = {
    "sklearn": lazy_gettext("the model itself"),
    "onnx": lazy_gettext("the same as a graph, with the same answers"),
    "onnx-float32": lazy_gettext("computes in single precision; answers may differ in the last digits"),
    "onnx-int8": lazy_gettext("kept in a quarter of the space; answers may differ"),
    "pruned": lazy_gettext("a forest with fewer of its trees; answers may differ"),
    "distilled": lazy_gettext("a smaller model that has learned its answers from this one; they may differ"),
}


def name(engine: str) -> str:
    """An engine as people call it."""
    return str(told(NAMES.get(engine, engine)))


def what(engine: str) -> str:
    """What it is; empty for one that is not known."""
    return str(told(WHAT.get(engine, "")))


def wishes() -> list[tuple[str, str]]:
    """What a publisher may ask for, and what the form calls it."""
    first = {
        "auto": gettext("The fastest that answers exactly alike"),
        "ask": gettext("Show me all side by side first"),
    }
    return [(wish, first.get(wish) or f"{name(wish)}: {what(wish)}") for wish in WISHES]


def answering(engines: Mapping[str, Any], rows: str) -> str:
    """Which engine answers `one` row or `many`, by a manifest's `engines`; empty where there is none."""
    picked = engines.get("picked", "auto")
    return str(picked if picked != "auto" else engines.get(rows) or "")


def served(engines: Mapping[str, Any]) -> list[str]:
    """All that answer of a version: one engine, or one for a row and one for many."""
    return list(dict.fromkeys(filter(None, (answering(engines, rows) for rows in ("one", "many")))))


def reason(kept: str) -> str:
    """Why one is not offered, in the reader's language; former reports keep our own sentences in English."""
    return str(told(kept) if isinstance(kept, Said) else gettext(kept)) if kept else ""


def gap(largest: float | None) -> str:
    """A difference of two answers; of one that nobody would see only that it is there."""
    if largest is None:
        return "–"
    return f"< {number(SEEN)}" if 0 < largest < SEEN else number(float(largest), 2)


GLOBALS: dict[str, Any] = {"engine_wishes": wishes, "engines_served": served, "engine_for": answering}
FILTERS: dict[str, Callable[..., Any]] = {
    "engine": name,
    "engine_is": what,
    "engine_reason": reason,
    "gap": gap,
}
