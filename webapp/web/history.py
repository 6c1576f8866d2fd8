"""The ledger: records listed, opened, printed and taken away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Blueprint, Response, current_app, render_template, request, stream_with_context

from webapp.auth import actor
from webapp.doors import desk
from webapp.errors import InvalidInput, NotFound
from webapp.ml.schema import Feature
from webapp.services import history, registry
from webapp.services.clock import now_us
from webapp.services.history import Filters, Record
from webapp.web import exports
from webapp.web.addresses import kept

ROWS = 50
#: Totals look at no more records than this, so that the page costs the same however long the ledger grows.
COUNTED = 10_000

blueprint = Blueprint("history", __name__)


class Named(NamedTuple):
    """A feature of which only the name is known."""

    name: str
    label: str
    unit: None = None


class Sheet(NamedTuple):
    """Names, units and test metrics for a record; `sound`: from its version, else only what the record holds."""

    title: str
    output: str
    features: Sequence[Feature | Named]
    sound: bool
    metrics: dict[str, Any] | None = None


@blueprint.get("/predictions")
def index() -> str | tuple[str, int]:
    """Records, newest first, as the filters in the address say."""
    try:
        filters, problems = Filters.read(request.args, besides=("cursor",)), {}
    except InvalidInput as error:
        problems = {p.pointer.removeprefix("#/"): p.detail for p in error.problems}
        filters = Filters.read({word: text for word, text in kept().items() if word not in problems})
    key, cursor = current_app.config["SECRET_KEY"], request.args.get("cursor")
    page = render_template(
        "history/index.html",
        filters=filters,
        problems=problems,
        asked=request.args,
        page=history.search(actor(), filters, limit=ROWS, key=key, cursor=cursor),
        totals=history.count(actor(), filters, at_most=COUNTED),
        models=registry.list_models(actor()),
    )
    return (page, 422) if problems else page


@blueprint.get("/predictions.csv")
def export() -> Response:
    """Every record of the filter as CSV; with one model, its features are columns."""
    filters = Filters.read(request.args)
    body = exports.lines(history.export(actor(), filters), _columns(filters))
    answer = Response(stream_with_context(body), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="predictions.csv"'
    return answer


@blueprint.get("/predictions/<record_id>")
def record(record_id: str) -> str:
    """One record: what was asked, what was answered, by which version, when and for whom."""
    found = history.get(actor(), record_id)
    return render_template("history/record.html", record=found, sheet=_sheet(found))


@blueprint.get("/predictions/<record_id>/print")
def print_record(record_id: str) -> str:
    """The same as a sheet of paper."""
    found = history.get(actor(), record_id)
    return render_template("history/print.html", record=found, sheet=_sheet(found), printed_us=now_us())


def _columns(filters: Filters) -> tuple[str, ...]:
    if not filters.model:
        return ()
    try:
        model = registry.describe_sound(desk().store, filters.model, actor=actor())
    except NotFound:  # or no longer open to this person, whose own records stay readable
        if names := _names_on_record(filters):
            return names
        raise
    return model.schema.names if model else _names_on_record(filters)


def _names_on_record(filters: Filters) -> tuple[str, ...]:
    return next((tuple(r.used) for r in history.export(actor(), filters) if r.used), ())


def _sheet(record: Record) -> Sheet:
    # Who may read the record may read what its columns are called, whoever may use the model now.
    model = registry.describe_sound(desk().store, record.model, record.version, actor=None)
    if model is None:  # what is on the record does not depend on the model store
        features = [Named(name, name) for name in record.used or {}]
        return Sheet(record.model, "", features, sound=False)
    metrics = model.manifest.get("metrics")
    return Sheet(model.title, model.schema.output.label, model.schema.features, sound=True, metrics=metrics)
