"""The engines of a model side by side, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from parecer_client.versions import Version

COLUMNS = (
    "offered",
    "exact",
    "bytes",
    "one_us",
    "many_us_per_row",
    "rows",
    "agree",
    "largest",
    "score",
    "score_name",
    "scored_on",
    "reason",
)


def side_by_side(options: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row an engine, by its name.

    Columns: offered, exact (whether it gives the model's own answers), bytes, one_us and many_us_per_row (µs), rows
    that were compared, agree (share of them answered alike), largest difference, score, score_name and scored_on ("test
    data", or "training data", which flatters and of which `agree` is not), reason.
    """
    names = pd.Index([one["name"] for one in options], name="engine")
    return pd.DataFrame([dict(one) for one in options], index=names, columns=list(COLUMNS))


@dataclass(frozen=True, eq=False)
class Choice:
    """A model that was inspected and is published once its engine has been picked; the desk waits 7 days for it.

    `page` is the address where it can be picked or cancelled too; `report` is what the inspection found.
    """

    name: str
    page: str
    engines: pd.DataFrame = field(repr=False)
    report: dict[str, Any] = field(repr=False)
    _publish: Callable[[str], Version] = field(repr=False)

    def choose(self, engine: str = "auto") -> Version:
        """Publish with an engine that is offered, by its name; auto is the fastest of the exact ones.

        Raises InvalidInput for one that is not offered, Conflict where it was picked already or has ended, and
        PublicationRefused with all reasons.
        """
        made = self._publish(engine)
        print(f"Published {made}")  # noqa: T201 — what the notebook's reader waits for
        return made

    def __str__(self) -> str:
        shown = self.engines.loc[self.engines["offered"].astype(bool)]
        table = shown.drop(columns=["offered", "reason"]).to_string()
        return f"{self._head()}\n{table}\n{self.page}"

    def _repr_html_(self) -> str:
        address = escape(self.page, quote=True)
        link = f'<a href="{address}" target="_blank">{address}</a>'
        return f"<div>{escape(self._head())}{self.engines.to_html()}{link}</div>"

    def _head(self) -> str:
        return f"{self.name} is not published yet: pick an engine with choose(…)"
