"""The list of records, and the whole of it as a file."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence

from flask import Response, current_app, render_template, request, stream_with_context
from flask_babel import gettext

from webapp.auth import actor
from webapp.doors import desk
from webapp.errors import InvalidInput, NotFound, NotSignedIn, Problem
from webapp.ml.schema import Feature
from webapp.services import disclosures, history, registry, saved
from webapp.services.history import Filters, Record
from webapp.services.people import Actor
from webapp.services.totals import totals
from webapp.web import exports
from webapp.web.addresses import COLUMNS, kept
from webapp.web.history import columns
from webapp.web.history.blueprint import blueprint

ROWS = 50
#: Totals look at no more records than this, so that the page costs the same however long the ledger grows.
COUNTED = 10_000
CHANNELS = ("form", "what-if", "api", "batch")


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
        totals=totals(actor(), filters, at_most=COUNTED),
        models=registry.list_models(actor()),
        channels=CHANNELS,
        chosen=chosen,
        columns=columns.COLUMNS,
        features=features,
        saved=saved.of(actor()),
        more=_more(request.args),
        parquet=exports.parquet_is_there(),
    )
    return (page, 422) if problems else page


@blueprint.get("/predictions.csv")
def export() -> Response:
    """Every record of the filter as CSV: the columns chosen or all, with one model also its inputs."""
    filters, features, shown = _to_take()
    body = exports.lines(_taken("csv", filters, shown), exports.fields(shown, tuple(features)))
    return _file(body, "text/csv", "predictions.csv")


@blueprint.get("/predictions.parquet")
def export_parquet() -> Response:
    """The same as Parquet."""
    filters, features, shown = _to_take()
    fields = exports.fields(shown, tuple(features))
    numbers = [name for name, kind in features.items() if kind in ("number", "integer")]
    exports.need_parquet()
    body = exports.parquet(_taken("parquet", filters, shown), fields, numbers)
    return _file(body, "application/vnd.apache.parquet", "predictions.parquet")


def _to_take() -> tuple[Filters, dict[str, str], tuple[str, ...]]:
    """What a file is made of: the filter, name → kind of the model's inputs, and the columns if any are chosen."""
    filters = Filters.read(request.args, besides=(COLUMNS,))
    features = _kinds(filters)
    chosen = columns.choose(request.args.getlist(COLUMNS), actor(), features)
    problem = chosen.problem or (
        gettext("has no input “%(name)s” here", name=chosen.left_out[0][:60]) if chosen.left_out else ""
    )
    if problem:
        raise InvalidInput([Problem(f"#/{COLUMNS}", problem)])
    return filters, features, chosen.words if chosen.own else ()


def _file(body: Iterator[bytes], kind: str, name: str) -> Response:
    answer = Response(stream_with_context(body), mimetype=kind)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _taken(kind: str, filters: Filters, shown: Sequence[str]) -> Iterator[Record]:
    """The records of an export, which is on the audit log before the first and, with their number, after the last.

    Where its reader loses access the connection breaks, so that what has come cannot pass for the whole.
    """
    if request.method == "HEAD":
        return iter(())
    who = actor()
    event = disclosures.export_begun(who, kind, kept(columns=False), shown)
    return _counted(who, event, history.export(who, filters))


def _counted(who: Actor, event: str, records: Iterator[Record]) -> Iterator[Record]:
    n, whole = 0, False
    try:
        for n, record in enumerate(records, 1):  # noqa: B007
            yield record
        whole = True
    except NotSignedIn:
        raise ConnectionResetError(errno.ECONNRESET, "the reader may read no more") from None
    finally:
        disclosures.export_ended(who, event, n, whole=whole)


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


def _kinds(filters: Filters) -> dict[str, str]:
    """Name → kind of the inputs of the one model asked for; raises NotFound where there is none, nor a record."""
    if not filters.model:
        return {}
    try:
        model = registry.describe_sound(desk().store, filters.model, actor=actor())
    except NotFound:  # or no longer open to this person, whose own records stay readable
        if names := _names_on_record(filters):
            return names
        raise
    return {f.name: f.kind for f in model.schema.features} if model else _names_on_record(filters)


def _names_on_record(filters: Filters) -> dict[str, str]:
    return next((dict.fromkeys(r.used, "text") for r in history.export(actor(), filters) if r.used), {})
