"""How pages write numbers, times and filters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flask_babel import lazy_gettext
from markupsafe import Markup

from webapp.ml.schema import Feature
from webapp.services.filters import Filters
from webapp.services.history import Record

DAY_US = 86_400 * 1_000_000
#: Why a request got no answer, by the error's name; the usual ones first.
FAILURES = {
    "InvalidInput": "values refused",
    "NotFound": "no such model or version",
    "TooMany": "over the rate limit",
    "NotReady": "not ready",
    "ModelFailed": "model failed",
    "NotAllowed": "not allowed",
    "Conflict": "at odds with an earlier request",
    "TooLarge": "too many rows",
    "NotSignedIn": "sign-in ended meanwhile",
    "BadArtifact": "model file damaged",
}


ROLES = {
    "analyst": lazy_gettext("analyst"),
    "publisher": lazy_gettext("publisher"),
    "auditor": lazy_gettext("auditor"),
    "admin": lazy_gettext("admin"),
}


def role(name: str) -> str:
    """A role in the reader's language."""
    return str(ROLES.get(name, name))


def utc(us: int) -> str:
    """Microseconds since the epoch, to the second."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(us: int) -> str:
    """The UTC day alone where the moment is its first or last, else to the second."""
    return f"{utc(us)[:10]} UTC" if us % DAY_US in (0, DAY_US - 1) else utc(us)


def moment(us: int, *, both: bool = False) -> Markup:
    """A time element: UTC as text, which a browser with JavaScript turns into its own time (or adds it)."""
    iso = datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time class="nowrap" datetime="{}"{}>{}</time>').format(
        iso, Markup(" data-both") if both else "", utc(us)
    )


def number(value: Any, digits: int = 6) -> str:
    """A value as people read it: `digits` significant ones for a float, yes and no, a dash for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}g}".replace("-", "−")
    return str(value)


def rough(figure: float) -> str:
    """A figure to two digits, as is due to an error: 45.178 → 45, 1234 → 1200."""
    return number(float(f"{figure:.2g}"), 15)


def percent(share: float | None, digits: int = 1) -> str:
    """0.9816 → 98.2 %; never 0 or 100 % of what is only nearly so."""
    if share is None:
        return "–"
    shown = f"{share * 100:.{digits}f}"
    if shown == f"{100:.{digits}f}" and share < 1:
        return f"> {100 - 10**-digits:.{digits}f} %"
    if shown == f"{0:.{digits}f}" and share > 0:
        return f"< {10**-digits:.{digits}f} %"
    return f"{shown} %"


def duration(us: int | None) -> str:
    """Microseconds in the unit that reads best."""
    if us is None:
        return "–"
    if us < 1000:
        return f"{us} µs"
    if us < 999_500:
        return f"{us / 1000:.3g} ms"
    return f"{us / 1_000_000:.3g} s" if us < 100_000_000 else f"{us / 1_000_000:,.0f} s"


def thousands(n: int) -> str:
    """12 345 678, with narrow spaces that do not break."""
    return f"{n:,}".replace(",", "\u202f")


def change(now: float | None, before: float | None) -> str:
    """How a figure moved against the period before, in words."""
    if now is None or before is None:
        return "nothing to compare with in the period before"
    if before == now:
        return "as in the period before"
    if before == 0:
        return "up from 0 in the period before"
    share = now / before - 1
    if share > 2:
        return f"{now / before:,.0f} times the period before"
    return f"{'up' if share > 0 else 'down'} {abs(share) * 100:.0f} % against the period before"


def filter_words(filters: Filters) -> list[tuple[str, str]]:
    """Each condition as (the URL's word, what it says)."""
    said = {
        "model": filters.model and f"model {filters.model}",
        "version": filters.version is not None and f"version {filters.version}",
        "label": filters.label and f"answer {filters.label}",
        "user": filters.user and f"by {filters.user}",
        "channel": filters.channel and f"through {filters.channel}",
        "subject": filters.subject and f"reference {filters.subject}",
        "from": filters.since_us is not None and f"from {day(filters.since_us)}",
        "to": filters.until_us is not None and f"to {day(filters.until_us - 1)}",
        "q": filters.q and f"containing “{filters.q}”",
    }
    return [(word, text) for word, text in said.items() if text]


def class_of(label: str | None, probabilities: dict[str, float] | None) -> str:
    """The colour of a class, by its place in the model's own order; none where that is not known."""
    order = list(probabilities or ())
    return f"c{order.index(label) % 8}" if label in order else ""


def mark(text: str, low: float, high: float) -> float | None:
    """Where a value lies on a band that shows low..high from 10 to 90 %; None for what is no number."""
    try:
        share = (float(text) - low) / (high - low)
    except ValueError:
        return None
    return round(min(max(10 + 80 * share, 0), 100), 1) if share == share else None


def not_given(record: Record, features: Iterable[Feature]) -> list[str]:
    """What a record was asked without, each with the default that was taken in its place."""
    if record.inputs is None or record.used is None:
        return []
    absent = [f for f in features if record.inputs.get(f.name) is None]
    return [
        f"{f.label} (taken as {number(record.used[f.name])})" if f.name in record.defaulted else f.label
        for f in absent
    ]


GLOBALS = {"class_of": class_of, "mark": mark, "not_given": not_given}
FILTERS = {
    "moment": moment,
    "role": role,
    "utc": utc,
    "number": number,
    "percent": percent,
    "rough": rough,
    "duration": duration,
    "thousands": thousands,
    "filter_words": filter_words,
}
