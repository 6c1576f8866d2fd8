"""A version that was published, as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

SCORES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
    "roc_auc": "ROC AUC",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
}


@dataclass(frozen=True)
class Version:
    """One published version; it never changes.

    `page` and `form` are addresses of the model's page and of the form where people ask it. `metrics` are the desk's
    own scores, and `metrics["on"]` says of which data. `report` is what the inspection found.
    """

    name: str
    number: str
    live: bool
    page: str
    form: str
    metrics: dict[str, Any] = field(default_factory=dict)
    #: Sentences about what could not be checked.
    warnings: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict, repr=False)
    #: Scores of clones of the estimator on data they had not seen, whichever engine answers, or why there are none;
    #: None where test data was given.
    cross_validation: str | None = None
    #: The engines side by side, as of `Choice.engines`; `picked` are those that answer. None where the desk has none.
    engines: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    @property
    def state(self) -> str:
        """Whether people and programs are answered by it."""
        return "live" if self.live else "not live yet: promote it to have it answer"

    def __str__(self) -> str:
        return "\n".join([f"{self.name} version {self.number} ({self.state})", *self._lines(), self.page])

    def __repr__(self) -> str:
        return f"<Version {self.number} of {self.name!r}, {'live' if self.live else 'not live'}, {self.page}>"

    def _repr_html_(self) -> str:
        address = escape(self.page, quote=True)
        lines = "".join(f"<br>{escape(line)}" for line in self._lines())
        head = f"<strong>{escape(self.name)}</strong> version {escape(self.number)} ({escape(self.state)})"
        form = f' · <a href="{escape(self.form, quote=True)}" target="_blank">ask it</a>' if self.live else ""
        return f'<div>{head}{lines}<br><a href="{address}" target="_blank">{address}</a>{form}</div>'

    def _lines(self) -> Iterator[str]:
        known = [
            f"{words} {self.metrics[name]:.3g}"
            for name, words in SCORES.items()
            if self.metrics.get(name) is not None
        ]
        if known:
            on = self.metrics.get("on", "")
            seen = " (which the model has seen: expect less)" if on == "training data" else ""
            yield f"scores on {on}{seen}: {', '.join(known)}"
        if self.cross_validation:
            yield f"cross-validated: {self.cross_validation}"
        yield from self.warnings
