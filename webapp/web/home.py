"""The desk: what has been asked and answered lately."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext, lazy_gettext

from webapp.auth import actor
from webapp.doors import desk
from webapp.errors import InvalidInput, NotFound, Problem
from webapp.extensions import cache
from webapp.services import monitoring, registry
from webapp.services.cells import safe
from webapp.services.clock import now_us
from webapp.services.filters import Filters
from webapp.services.monitoring import Overview, bucket_us
from webapp.services.people import Actor
from webapp.services.registry import ModelDetail
from webapp.web.charts import Chart, overview_charts
from webapp.web.words import NAMES, change, duration, percent, thousands

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US
#: Word -> (microseconds, how it is called).
PERIODS = {
    "hour": (HOUR_US, lazy_gettext("Hour")),
    "day": (DAY_US, lazy_gettext("Day")),
    "week": (7 * DAY_US, lazy_gettext("Week")),
    "month": (30 * DAY_US, lazy_gettext("30 days")),
    "quarter": (91 * DAY_US, lazy_gettext("Quarter")),
    "year": (364 * DAY_US, lazy_gettext("Year")),
}
USUAL = "day"
#: What the address of the dashboard may say, and its charts'.
WORDS = ("model", "version", "channel", "user", "from", "to")
FIELDS = (*WORDS, "period")
#: Figures may be this old: a screen on the wall that reloads costs one look at the record for all who watch.
FRESH_S = 10
#: Fewer records are counted anew each time, in milliseconds: who has just asked finds the answer counted.
FEW = 1_000

blueprint = Blueprint("home", __name__)


class Stat(NamedTuple):
    """One figure with what it was before."""

    label: str
    figure: str
    change: str


class Asked(NamedTuple):
    """What the address says: the words that could be understood, and what is wrong with the others."""

    words: dict[str, str]
    filters: Filters
    #: Empty where `from` or `to` say it.
    period: str
    problems: dict[str, str]


@blueprint.get("/")
def dashboard() -> str | tuple[str, int]:
    """Counts, classes and latency of a period, of one model or all."""
    asked = _asked(request.args)
    model = _model(asked.filters)  # first: a model that does not exist must not fill the cache
    seen = _overview(actor(), asked)
    page = render_template(
        "home/dashboard.html",
        seen=seen,
        stats=_stats(seen),
        charts=_charts(seen, asked.filters, model),
        periods=PERIODS,
        asked=asked,
        model=model,
        channels=NAMES["channel"],
        fields=FIELDS,
        models=registry.list_models(actor()),
        here=_here,
    )
    return (page, 422) if asked.problems else page


@blueprint.get("/charts/<name>.csv")
def chart(name: str) -> Response:
    """The numbers of one chart of the dashboard, of the same address."""
    asked = _asked(request.args)
    if asked.problems:
        raise InvalidInput([Problem(f"#/{word}", problem) for word, problem in asked.problems.items()])
    model = _model(asked.filters)
    charts = {c.name: c for c in _charts(_overview(actor(), asked), asked.filters, model)}
    if name not in charts:
        raise NotFound(gettext("There is no such chart; there are %(names)s.", names=", ".join(charts)))
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(
        [safe(cell) for cell in row] for row in charts[name].csv
    )
    answer = Response(text.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _asked(query: Mapping[str, str]) -> Asked:
    """The address, as far as it can be understood."""
    words = {word: query[word].strip() for word in WORDS if query.get(word, "").strip()}
    problems = {
        word: gettext("is not a filter of the dashboard; there are %(words)s", words=", ".join(FIELDS))
        for word in list(query)[:20]
        if word not in FIELDS
    }
    if "version" in words and "model" not in words:
        problems["version"] = gettext("needs a model beside it")
    if words.get("channel", "api") not in NAMES["channel"]:
        problems["channel"] = gettext("must be one of %(names)s", names=", ".join(NAMES["channel"]))
    try:
        Filters.read(words)
    except InvalidInput as error:
        problems |= {p.pointer.removeprefix("#/"): p.detail for p in error.problems}
    period = query.get("period") or USUAL
    if period not in PERIODS:
        problems["period"] = gettext("must be one of %(names)s", names=", ".join(PERIODS))
        period = USUAL
    words = {word: text for word, text in words.items() if word not in problems}
    if "from" in words or "to" in words:
        period = ""
    return Asked(words, Filters.read(words), period, problems)


def _here(asked: Asked, endpoint: str = "home.dashboard", **changes: str) -> str:
    """This page, or a chart of it, with some words changed; an empty one goes."""
    words: dict[str, Any] = {**asked.words, "period": asked.period, **changes}
    return url_for(endpoint, **{word: text for word, text in words.items() if text})


def _overview(who: Actor, asked: Asked) -> Overview:
    """The figures of a period, of FEW records at once or up to FRESH_S old.

    People share theirs only with those who see the same.
    """
    scope = "all" if who.sees_all else who.id
    key = f"overview/{scope}/{asked.period}/{sorted(asked.words.items())}"
    seen: Overview | None = cache.get(key)
    if seen is None:
        now, filters = now_us(), asked.filters
        if asked.period:
            span = PERIODS[asked.period][0]
            step = bucket_us(span)
            filters = replace(filters, since_us=(now // step + 1) * step - span)
        seen = monitoring.overview(who, filters, now_us=now)
        if seen.now.predictions + seen.before.predictions >= FEW:
            cache.set(key, seen, timeout=FRESH_S)
    return seen


def _model(filters: Filters) -> ModelDetail | None:
    """The model looked at, if it can be read; raises NotFound."""
    if filters.model is None:
        return None
    version = None if filters.version is None else str(filters.version)
    return registry.describe_sound(desk().store, filters.model, version, actor=actor())


def _charts(seen: Overview, filters: Filters, model: ModelDetail | None) -> list[Chart]:
    """The charts, with classes in the model's own order; without a model, with models in the order of their names."""
    mine = {info.name for info in registry.list_models(actor())} | {filters.model}
    seen = replace(seen, marks=[mark for mark in seen.marks if mark.model in mine])
    if filters.model is None:
        return overview_charts(seen, [info.name for info in registry.list_models(actor())])
    classes = [c.label for c in model.schema.output.classes] if model else sorted(seen.series)
    return overview_charts(seen, classes, of_model=True)


def _stats(seen: Overview) -> list[Stat]:
    now, before = seen.now, seen.before
    share, share_before = (f.warned / f.predictions if f.predictions else None for f in (now, before))
    stats = [
        Stat(gettext("Predictions"), thousands(now.predictions), change(now.predictions, before.predictions)),
        Stat(gettext("With warnings"), percent(share), _points(share, share_before)),
        Stat(gettext("Latency, 95th percentile"), duration(now.p95_us), change(now.p95_us, before.p95_us)),
    ]
    if now.errors is not None:
        stats.append(Stat(gettext("Errors"), thousands(now.errors), change(now.errors, before.errors)))
    return stats


def _points(now: float | None, before: float | None) -> str:
    if now is None or before is None:
        return change(now, before)
    return str(gettext("%(share)s in the period before", share=percent(before)))
