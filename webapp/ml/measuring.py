"""How long the engines take here, and which of them should serve one row and many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

from webapp.ml.engines import Engine
from webapp.ml.layout import Rows
from webapp.wording import pack, said

MANY: Final = 1000
#: scikit-learn takes over from ONNX only when so much faster: importing it costs a worker 130 MB
WORTH_IT: Final = 2.0
_BUDGET = 0.1  # seconds for each figure


class Times(NamedTuple):
    """Seconds for one row, and for MANY."""

    one: float
    many: float

    def to_dict(self) -> dict[str, float]:
        """In µs, and for each of many rows."""
        return {
            "one_us": round(self.one * 1e6, 2),
            "many_us_per_row": round(self.many * 1e6 / MANY, 4),
        }


def timed(engine: Engine, rows: Rows) -> Times:
    """How long the engine takes; `rows` are repeated where there are not enough."""
    return Times(_time(engine, rows[:1]), _time(engine, list(islice(cycle(rows), MANY))))


def serving(times: Mapping[str, Times], reason: str) -> dict[str, Any]:
    """The manifest's `engines`: which of those measured serve one row and many, their times, and the reason, packed."""
    first = _faster({name: t.one for name, t in times.items()})
    second = _faster({name: t.many for name, t in times.items()})
    if len(times) > 1 and "sklearn" in (first, second):
        reason = (
            said("{reason} scikit-learn is the faster for any number of rows.", reason=reason)
            if first == second
            else said("{reason} scikit-learn is the faster for many.", reason=reason)
        )
    one, many = times[first], times[second]
    return {
        "one": first,
        "many": second,
        "one_us": one.to_dict()["one_us"],
        "many_us_per_row": many.to_dict()["many_us_per_row"],
        "switch_at": 2 if first == second else _crossing(*one, *many),
        "reason": pack(reason),
    }


def _faster(times: Mapping[str, float]) -> str:
    if "onnx" not in times:
        return "sklearn"
    return "sklearn" if times.get("sklearn", math.inf) * WORTH_IT < times["onnx"] else "onnx"


def _crossing(one_a: float, many_a: float, one_b: float, many_b: float) -> int:
    """Rows from which engine b is the faster, taking both times as straight lines between 1 and MANY."""
    gain = (many_a - one_a - many_b + one_b) / (MANY - 1)
    return max(2, min(MANY, 1 + math.ceil((one_b - one_a) / gain))) if gain > 0 else MANY


def _time(engine: Engine, rows: Rows) -> float:
    """Seconds, the median of as many rounds as the budget holds (3 at least, 200 at most)."""
    engine.answer(rows)
    spent: list[float] = []
    while len(spent) < 3 or (sum(spent) < _BUDGET and len(spent) < 200):
        start = perf_counter()
        engine.answer(rows)
        spent.append(perf_counter() - start)
    return median(spent)
