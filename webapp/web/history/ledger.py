"""The list of records, and the whole of it as a file."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, current_app, render_template, request, stream_with_context

from webapp.auth import actor
from webapp.doors import desk
from webapp.errors import InvalidInput, NotFound
from webapp.ml.schema import Feature
from webapp.services import history, registry, saved
from webapp.services.history import Filters
from webapp.web import exports
from webapp.web.addresses import COLUMNS, kept
from webapp.web.history import columns
from webapp.web.history.blueprint import blueprint

ROWS = 50
#: Totals look at no more records than this, so that the page costs the same however long the ledger grows.
COUNTED = 10_000
CHANNELS = ("form", "api", "batch")


@blueprint.get("/predictions")
def index() -> str | tuple[str, int]:
    """Records, newest first, as the filters in the address say."""
    filters, problems = _filters()
    features = _features(filters)
    chosen = columns.choose(request.args.getlist(COLUMNS), actor(), features)
    if chosen.problem:
        problems[COLUMNS] = chosen.problem
    key, cursor = current_app.config["SECRET_KEY"], request.args.get("cursor")
    page = render_template(
        "history/index.html",
        filters=filters,
        problems=problems,
        asked=request.args,
        page=history.search(actor(), filters, limit=ROWS, key=key, cursor=cursor),
        totals=history.count(actor(), filters, at_most=COUNTED),
        models=registry.list_models(actor()),
        channels=CHANNELS,
        chosen=chosen,
        columns=columns.COLUMNS,
        features=features,
        saved=saved.of(actor()),
        more=_more(request.args),
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


def _filters() -> tuple[Filters, dict[str, str]]:
    """The filters of the address that can be understood, and what is wrong with the others, by word."""
    try:
        return Filters.read(request.args, besides=("cursor", COLUMNS)), {}
    except InvalidInput as error:
        problems = {p.pointer.removeprefix("#/"): p.detail for p in error.problems}
        words = kept(columns=False)
        return Filters.read({word: text for word, text in words.items() if word not in problems}), problems


def _more(asked: Mapping[str, str]) -> bool:
    """Whether a filter is in force that the second row of the toolbar holds."""
    rows = ("version", "label", "subject", "warned", "state", "reviewed", "outcome", "score_from", "score_to")
    return any(asked.get(word) for word in rows)


def _features(filters: Filters) -> dict[str, Feature]:
    """Name → feature of the one model looked at, of the version asked for; none where it is not known here."""
    if filters.model is None:
        return {}
    version = None if filters.version is None else str(filters.version)
    try:
        model = registry.describe_sound(desk().store, filters.model, version, actor=actor())
    except NotFound:
        return {}
    return {f.name: f for f in model.schema.features} if model else {}


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
