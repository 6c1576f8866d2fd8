"""A small model and its sample, as a publisher sends them."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from webapp.ml.loader import save_skops
from webapp.ml.options import TOO_FAR


@lru_cache
def flowers() -> tuple[bytes, bytes]:
    """A skops file, and the CSV file it learned from; its target is `target`."""
    data = load_iris(as_frame=True)
    fitted = LogisticRegression(max_iter=1000).fit(data.data, data.target)
    return save_skops(fitted), data.frame.to_csv(index=False).encode()


def form(**changes: Any) -> dict[str, Any]:
    """The parts of an upload; None leaves one out."""
    model, sample = flowers()
    parts = {
        "model": (io.BytesIO(model), "flowers.skops"),
        "data": (io.BytesIO(sample), "flowers.csv"),
        "target": "target",
        **changes,
    }
    return {name: part for name, part in parts.items() if part is not None}


def engines(n: int = 150) -> list[dict[str, Any]]:
    """The engines of a model side by side, as an inspection reports them: four offered, two not."""
    exact = {"offered": True, "exact": True, "rows": n, "agree": 1.0, "score": 0.97, "score_name": "accuracy"}
    near = exact | {"exact": False, "agree": 0.96, "score": 0.94}
    absent = {"offered": False, "exact": False, "bytes": 0, "one_us": 0.0, "many_us_per_row": 0.0}
    absent |= {"rows": 0, "agree": 0.0, "largest": 0.0, "reason": str(TOO_FAR)}
    times = {"one_us": 70.2, "many_us_per_row": 0.125}
    return [
        {"name": "sklearn", "reason": "", "bytes": 20_480, "largest": 0.0, **times, **exact},
        {"name": "onnx", "reason": "", "bytes": 1_480, "largest": 1.2e-7, **times, **exact},
        {"name": "onnx-float32", "reason": "", "bytes": 980, "largest": 0.0012, **times, **near},
        {"name": "onnx-int8", "reason": "", "bytes": 480, "largest": 0.19, **times, **near},
        {"name": "pruned", **absent},
        {"name": "distilled", **absent},
    ]
