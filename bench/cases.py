"""The two models every server is measured with, and rows to ask about."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

ROWS = 1024
SPREAD = 0.01

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One model: `rows[0]` is the first row of its data set, whose class is `expected`."""

    name: str
    title: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    expected: str


TITLES = {"iris": "iris, LogisticRegression", "breast-cancer": "breast cancer, RandomForest(100)"}


@lru_cache
def case(name: str) -> Case:
    """The case of that name; raises KeyError for a name not in `TITLES`."""
    from sklearn.datasets import load_breast_cancer, load_iris  # seconds to import; `--help` needs none of it

    data = {"iris": load_iris, "breast-cancer": load_breast_cancer}[name]()
    classes = [str(label) for label in data.target_names]
    return Case(
        name=name,
        title=TITLES[name],
        features=tuple(str(f).removesuffix(" (cm)").replace(" ", "_") for f in data.feature_names),
        classes=tuple(sorted(classes)),
        rows=_rows(data.data.tolist()),
        expected=classes[data.target[0]],
    )


def _rows(known: list[list[float]]) -> tuple[Row, ...]:
    """The first row as it is, then rows near known ones, all distinct so that no server lives off a cache."""
    columns = list(zip(*known, strict=True))
    lows, highs = [min(column) for column in columns], [max(column) for column in columns]
    chance = random.Random(0)
    near = (
        tuple(
            round(min(max(value * chance.uniform(1 - SPREAD, 1 + SPREAD), low), high), 5)
            for value, low, high in zip(known[i % len(known)], lows, highs, strict=True)
        )
        for i in range(1, ROWS)
    )
    return (tuple(known[0]), *near)
