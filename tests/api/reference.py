"""Which rows are taken, by what the documentation says alone: nothing of the server's own checks is asked.

The rules: *Predict* and *Limits* in docs/reference/api.md, and a model's schema as the API shows it.
"""

from __future__ import annotations

import math
from typing import Any

LARGEST, EXACT = 1e30, 2**53
MISSING = object()


def taken(schema: dict[str, Any], row: Any) -> bool:
    """Whether a row is answered; values are as `json` reads them."""
    if not isinstance(row, dict):
        return False
    features = {feature["name"]: feature for feature in schema["features"]}
    if set(row) - set(features):
        return False
    return all(_taken(feature, row.get(name, MISSING)) for name, feature in features.items())


def _taken(feature: dict[str, Any], value: Any) -> bool:
    if value is MISSING:
        return feature["default"] is not None or bool(feature["nullable"])
    if value is None:
        return bool(feature["nullable"])
    fits = {"number": _number, "integer": _integer, "boolean": _boolean, "text": _text, "category": _category}
    return fits[feature["kind"]](feature, value) and _within(feature, value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(_feature: dict[str, Any], value: Any) -> bool:
    return _is_number(value) and math.isfinite(value) and abs(value) <= LARGEST


def _integer(feature: dict[str, Any], value: Any) -> bool:
    return _number(feature, value) and value == int(value) and abs(value) <= EXACT


def _boolean(_feature: dict[str, Any], value: Any) -> bool:
    return isinstance(value, bool)


def _text(feature: dict[str, Any], value: Any) -> bool:
    if not isinstance(value, str) or len(value) > feature["max_length"]:
        return False
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value)


def _category(feature: dict[str, Any], value: Any) -> bool:
    kinds = {type(choice["value"]) for choice in feature["choices"]}
    if isinstance(value, bool):
        fits = bool in kinds
    elif isinstance(value, int):
        fits = (int in kinds and _integer(feature, value)) or (float in kinds and _number(feature, value))
    elif isinstance(value, float):
        fits = float in kinds and _number(feature, value)
    else:
        fits = _text(feature, value)
    known = any(
        choice["value"] == value and isinstance(choice["value"], bool) == isinstance(value, bool)
        for choice in feature["choices"]
    )
    return fits and (known or not feature["closed"])


def _within(feature: dict[str, Any], value: Any) -> bool:
    if not isinstance(value, int | float):
        return True
    low, high = feature["minimum"], feature["maximum"]
    return (low is None or value >= low) and (high is None or value <= high)
