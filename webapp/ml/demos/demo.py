"""What a demo model is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Sample = tuple[Any, Any, Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Demo:
    """`make` gives (fitted estimator, X, y, X_test, y_test) as DataFrames and Series;
    images are base64 in a column."""

    name: str
    title: str
    description: str
    make: Callable[[], Sample]
    card: dict[str, str] = field(default_factory=dict)
    edits: dict[str, Any] = field(default_factory=dict)


def card(title: str, description: str, training_data: str, caveats: str) -> dict[str, str]:
    """The card of a demo, which is meant for the same as every other."""
    return {
        "title": title,
        "description": description,
        "intended_use": "Trying out the desk, and teaching.",
        "not_intended_use": "Any decision about a person or a thing.",
        "training_data": training_data,
        "training_code": "webapp/ml/demos of this software",
        "caveats": caveats,
        "bias_and_ethics": "Not examined: it must decide about nobody.",
        "contact": "Whoever runs this desk.",
    }


def fitted(estimator: Any, X: Any, y: Any, stratify: Any = None) -> Sample:
    """The estimator fitted to three rows of four, the others to test it with."""
    from sklearn.model_selection import train_test_split  # heavy, and only publishing the demos trains

    X, X_test, y, y_test = train_test_split(X, y, stratify=stratify, random_state=0)
    return estimator.fit(X, y), X, y, X_test, y_test
