"""How long the engines take here, and which of them should serve one row and many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any, Final

from webapp.ml.engines import Engine
from webapp.ml.layout import Rows

MANY: Final = 1000
#: scikit-learn takes over from ONNX only when so much faster: importing it costs a worker 130 MB
WORTH_IT: Final = 2.0
_BUDGET = 0.1  # seconds for each figure


def measure(engines: Mapping[str, Engine], rows: Rows, reason: str) -> dict[str, Any]:
    """The manifest's `engines`: who serves one row and many, their times in µs, and the reason.

    `latency` has the times of all engines, those too that will not serve.
    """
    many_rows = list(islice(cycle(rows), MANY))
    one = {name: _time(engine, rows[:1]) for name, engine in engines.items()}
    many = {name: _time(engine, many_rows) for name, engine in engines.items()}
    first, second = _faster(one), _faster(many)
    if len(engines) > 1 and "sklearn" in (first, second):
        reason += " scikit-learn is the faster for " + ("any number of rows." if first == second else "many.")
    return {
        "one": first,
        "many": second,
        "one_us": round(one[first] * 1e6, 2),
        "many_us_per_row": round(many[second] * 1e6 / MANY, 4),
        "switch_at": 2 if first == second else _crossing(one[first], many[first], one[second], many[second]),
        "reason": reason,
        "latency": {
            name: {
                "one_us": round(one[name] * 1e6, 2),
                "many_us_per_row": round(many[name] * 1e6 / MANY, 4),
            }
            for name in engines
        },
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
