"""Rows of pandas, numpy and Python as JSON that the desk reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from parecer_client.errors import InvalidInput, Problem


class Unsendable(ValueError):
    """A value that JSON has no form for; the message says what to do."""


def plain(value: Any) -> Any:
    """A cell as JSON has it. NaN, NaT, NA and None are null; numpy's scalars Python's own; times RFC 3339.

    Raises Unsendable for infinity and for what is no single value.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | Decimal):
        return _number(float(value))
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.datetime64):
        return plain(pd.Timestamp(value))
    if isinstance(value, date | time):  # a datetime and a Timestamp are dates, too
        return value.isoformat()
    raise Unsendable(
        f"is a {type(value).__name__}; give a number, a text, true or false, or None where it is missing"
    )


def row(given: Mapping[str, Any] | pd.Series[Any], kinds: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One row as JSON. Raises InvalidInput naming every value that cannot be sent."""
    sent, problems = readable(given, kinds or {})
    if problems:
        raise InvalidInput("Some values cannot be sent:", problems=problems)
    return sent


def readable(
    given: Mapping[str, Any] | pd.Series[Any], kinds: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """One row as JSON, and what of it cannot be sent; `kinds` are those of the features, where known.

    pandas holds whole numbers as floats in a column with gaps; where the feature takes them, they are whole again.
    """
    sent: dict[str, Any] = {}
    problems = []
    for name, value in given.items():
        try:
            cell = plain(value)
        except Unsendable as error:
            problems.append(Problem(f"#/inputs/{name}", f"{name} {error}"))
            continue
        if isinstance(cell, float) and kinds.get(str(name)) == "integer" and cell.is_integer():
            cell = int(cell)
        sent[str(name)] = cell
    return sent, problems


def kinds(schema: Mapping[str, Any]) -> dict[str, str]:
    """Feature to kind, of a model's schema; a category of whole numbers counts as integer."""
    return {feature["name"]: _kind(feature) for feature in schema["features"]}


def _kind(feature: Mapping[str, Any]) -> str:
    values = [choice["value"] for choice in feature.get("choices") or ()]
    if feature["kind"] == "category" and values and all(type(value) is int for value in values):
        return "integer"
    return str(feature["kind"])


def _number(value: float) -> float | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise Unsendable("is infinite; give a finite number, or None where it is missing")
    return value
