"""The desk: what has been asked and answered lately."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, render_template, request

from webapp.auth import actor
from webapp.doors import desk
from webapp.extensions import cache
from webapp.services import monitoring, registry
from webapp.services.clock import now_us
from webapp.services.filters import Filters
from webapp.services.monitoring import Overview
from webapp.services.people import Actor
from webapp.web.charts import overview_charts
from webapp.web.words import change, duration, percent, thousands

HOUR_US = 3600 * 1_000_000
PERIODS = {"hour": 1, "day": 24, "week": 7 * 24, "month": 30 * 24, "quarter": 91 * 24, "year": 365 * 24}
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


@blueprint.get("/")
def dashboard() -> str:
    """Counts, classes and latency of a period that ends now, of one model or all."""
    period = request.args.get("period", "day")
    period = period if period in PERIODS else "day"
    model = request.args.get("model") or None
    classes = _classes(model)  # first: a model that does not exist must not fill the cache
    seen = _overview(actor(), model, period)
    return render_template(
        "home/dashboard.html",
        seen=seen,
        stats=_stats(seen),
        charts=overview_charts(seen, classes or (sorted(seen.series) if model else [])),
        periods=PERIODS,
        asked={"period": period, "model": model or ""},
        models=registry.list_models(actor()),
    )


def _overview(who: Actor, model: str | None, period: str) -> Overview:
    """The figures of a period, of FEW records at once or up to FRESH_S old.

    People share theirs only with those who see the same.
    """
    scope = "all" if who.sees_all else who.id
    key = f"overview/{scope}/{period}/{model or ''}"
    seen: Overview | None = cache.get(key)
    if seen is None:
        now = now_us()
        since = now - PERIODS[period] * HOUR_US
        seen = monitoring.overview(who, Filters(model=model, since_us=since), now_us=now)
        if seen.now.predictions + seen.before.predictions >= FEW:
            cache.set(key, seen, timeout=FRESH_S)
    return seen


def _classes(model: str | None) -> list[str]:
    if model is None:
        return []
    found = registry.describe_sound(desk().store, model, actor=actor())
    return [c.label for c in found.schema.output.classes] if found else []


def _stats(seen: Overview) -> list[Stat]:
    now, before = seen.now, seen.before
    share, share_before = (f.warned / f.predictions if f.predictions else None for f in (now, before))
    stats = [
        Stat("Predictions", thousands(now.predictions), change(now.predictions, before.predictions)),
        Stat("With warnings", percent(share), _points(share, share_before)),
        Stat("Latency, 95th percentile", duration(now.p95_us), change(now.p95_us, before.p95_us)),
    ]
    if now.errors is not None:
        stats.append(Stat("Errors", thousands(now.errors), change(now.errors, before.errors)))
    return stats


def _points(now: float | None, before: float | None) -> str:
    if now is None or before is None:
        return change(now, before)
    return f"{percent(before)} in the period before"
