"""A small model and its sample, as a publisher sends them."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from webapp.ml.loader import save_skops


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
