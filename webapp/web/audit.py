"""The ledger on paper."""

from __future__ import annotations

import time
from itertools import islice
from typing import NamedTuple

from flask import Blueprint, render_template, request
from markupsafe import Markup

from webapp.auth import actor
from webapp.doors import desk
from webapp.errors import NotFound
from webapp.services import disclosures, history, registry
from webapp.services.clock import now_us
from webapp.services.history import Filters
from webapp.services.totals import Totals, totals
from webapp.web.addresses import COLUMNS, kept
from webapp.web.history.ledger import COUNTED

#: A browser lays out about this many rows in a few seconds; a longer report is better taken as a file.
MOST_ROWS = 5_000
PART = 200
#: Of the cover: models that are drawn, and classes of each.
MOST_CHARTS, MOST_CLASSES = 4, 12

blueprint = Blueprint("audit", __name__)


class Bar(NamedTuple):
    """One class of a chart; `share` is 0..1 of the model's answers, `pattern` that of the class in its model."""

    label: str
    n: int
    share: float
    pattern: str


@blueprint.get("/audit/print")
def print_history() -> str:
    """A report of the records of a filter: cover with totals, then the records, newest first."""
    filters = Filters.read(request.args, besides=(COLUMNS,))
    counted = totals(actor(), filters, at_most=COUNTED)
    records = list(islice(history.export(actor(), filters), MOST_ROWS))
    event = ""
    if request.method != "HEAD":
        event = disclosures.report_printed(actor(), kept(columns=False), len(records))
    drawn = list(counted.classes.items())
    return render_template(
        "audit/print.html",
        filters=filters,
        totals=counted,
        records=records,
        rows=_rows(records),
        oldest_us=_oldest(filters, records),
        charts=[(model, _bars(model, classes, counted)) for model, classes in drawn[:MOST_CHARTS]],
        more_charts=max(len(drawn) - MOST_CHARTS, 0),
        event=event,
        printed_us=now_us(),
    )


def _rows(records: list[history.Record]) -> Markup:
    """The table, some rows at a time: others would wait for a second while all of it is written."""
    parts = []
    for start in range(0, len(records), PART):
        parts.append(render_template("audit/_rows.html", records=records[start : start + PART]))
        time.sleep(history.BREATH)
    return Markup("").join(map(Markup, parts))


def _oldest(filters: Filters, records: list[history.Record]) -> int | None:
    if len(records) < MOST_ROWS:
        return records[-1].created_us if records else None
    return history.oldest_us(actor(), filters)


def _bars(model: str, classes: dict[str, int], counted: Totals) -> list[Bar]:
    order = _order(model) or sorted(classes)
    whole = counted.models[model]
    return [
        Bar(label, n, n / whole, f"c{order.index(label) % 8}" if label in order else "")
        for label, n in list(classes.items())[:MOST_CLASSES]
    ]


def _order(model: str) -> list[str]:
    """The classes of a model as its version of now has them, by which they are coloured everywhere."""
    try:
        found = registry.describe_sound(desk().store, model, actor=None)  # it is on their records
    except NotFound:
        return []
    return [choice.label for choice in found.schema.output.classes] if found else []
