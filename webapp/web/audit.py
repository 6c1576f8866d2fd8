"""The ledger on paper."""

from __future__ import annotations

from itertools import islice

from flask import Blueprint, render_template, request

from webapp.auth import actor
from webapp.services import history
from webapp.services.clock import now_us
from webapp.services.history import Filters

#: A browser lays out about this many rows in a few seconds; a longer report is better taken as CSV.
MOST_ROWS = 5_000

blueprint = Blueprint("audit", __name__)


@blueprint.get("/audit/print")
def print_history() -> str:
    """A report of the records of a filter: cover with totals, then the records, newest first."""
    filters = Filters.read(request.args)
    return render_template(
        "audit/print.html",
        filters=filters,
        totals=history.count(actor(), filters),
        records=list(islice(history.export(actor(), filters), MOST_ROWS)),
        printed_us=now_us(),
    )
