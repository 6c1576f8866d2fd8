"""How pages write numbers, times and names in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import get_group_symbol
from flask_babel import get_locale, gettext, lazy_gettext
from markupsafe import Markup

from webapp.ml.schema import Feature, unusual
from webapp.ml.schema.images import MAX_BYTES, data_uri, describe, tiny
from webapp.services.erased import BASES, REQUESTERS
from webapp.services.filters import Filters
from webapp.services.history import Record
from webapp.services.people import ROLE_NAMES
from webapp.web.languages import local, told
from webapp.wording import said

DAY_US = 86_400 * 1_000_000
#: Why a request got no answer, by the error's name; the usual ones first.
FAILURES = {
    "InvalidInput": lazy_gettext("values refused"),
    "NotFound": lazy_gettext("no such model or version"),
    "TooMany": lazy_gettext("over the rate limit"),
    "NotReady": lazy_gettext("not ready"),
    "ModelFailed": lazy_gettext("model failed"),
    "NotAllowed": lazy_gettext("not allowed"),
    "Conflict": lazy_gettext("at odds with an earlier request"),
    "TooLarge": lazy_gettext("too many rows"),
    "NotSignedIn": lazy_gettext("sign-in ended meanwhile"),
    "BadArtifact": lazy_gettext("model file damaged"),
}
#: Names that the record, the schema and addresses use, as people read them; one filter a table.
NAMES: dict[str, Mapping[str, Any]] = {
    "role": ROLE_NAMES,
    "channel": {
        "form": lazy_gettext("form"),
        "what-if": lazy_gettext("what-if"),
        "api": lazy_gettext("API"),
        "batch": lazy_gettext("batch"),
    },
    "state": {
        "active": lazy_gettext("active"),
        "restricted": lazy_gettext("restricted"),
        "erased": lazy_gettext("erased"),
    },
    "basis": BASES,
    "requester": REQUESTERS,
    "kind": {
        "number": lazy_gettext("number"),
        "integer": lazy_gettext("whole number"),
        "category": lazy_gettext("category"),
        "boolean": lazy_gettext("yes or no"),
        "text": lazy_gettext("text"),
        "image": lazy_gettext("image"),
    },
    "task": {
        "classification": lazy_gettext("classification"),
        "regression": lazy_gettext("regression"),
        "ranking": lazy_gettext("ranking"),
    },
    "sample": {
        "test data": lazy_gettext("test data"),
        "training data": lazy_gettext("training data"),
    },
    "metric": {
        "accuracy": lazy_gettext("Accuracy"),
        "balanced_accuracy": lazy_gettext("Balanced accuracy"),
        "f1_macro": lazy_gettext("F1, macro average"),
        "log_loss": lazy_gettext("Log loss"),
        "roc_auc": "ROC AUC",
        "mae": "MAE",
        "rmse": "RMSE",
        "r2": "R²",
        "median_absolute_error": lazy_gettext("Median absolute error"),
        "k": lazy_gettext("First places that count, k"),
        "precision_at_k": lazy_gettext("Precision in the first k"),
        "recall_at_k": lazy_gettext("Recall in the first k"),
        "map_at_k": lazy_gettext("Mean average precision in the first k"),
        "mrr": lazy_gettext("Mean reciprocal rank"),
        "ndcg_at_k": lazy_gettext("NDCG of the first k"),
        "n_rows": lazy_gettext("Rows"),
    },
    "card_part": {
        "title": lazy_gettext("Title"),
        "description": lazy_gettext("What it is"),
        "intended_use": lazy_gettext("Meant for"),
        "not_intended_use": lazy_gettext("Not meant for"),
        "training_data": lazy_gettext("What it learned from"),
        "training_code": lazy_gettext("Training code"),
        "caveats": lazy_gettext("Bear in mind"),
        "bias_and_ethics": lazy_gettext("Bias and ethics"),
        "contact": lazy_gettext("Contact"),
    },
    "member": {
        "added": lazy_gettext("new feature"),
        "removed": lazy_gettext("feature taken away"),
        "kind": lazy_gettext("kind"),
        "label": lazy_gettext("label"),
        "description": lazy_gettext("description"),
        "unit": lazy_gettext("unit"),
        "nullable": lazy_gettext("may be missing"),
        "default": lazy_gettext("default"),
        "minimum": lazy_gettext("least allowed"),
        "maximum": lazy_gettext("most allowed"),
        "closed": lazy_gettext("only known values"),
        "max_length": lazy_gettext("longest text"),
        "group": lazy_gettext("group"),
        "learned": lazy_gettext("learned range"),
        "target": lazy_gettext("target"),
        "probabilities": lazy_gettext("probabilities"),
        "choices_added": lazy_gettext("new values"),
        "choices_removed": lazy_gettext("values taken away"),
        "choices_renamed": lazy_gettext("values renamed"),
        "choices_moved": lazy_gettext("order of values"),
    },
    "stage": {"check": lazy_gettext("check"), "predict": lazy_gettext("predict")},
    "review": {"confirmed": lazy_gettext("confirmed"), "overridden": lazy_gettext("overridden")},
    "verdict": {
        "agrees": lazy_gettext("as answered"),
        "differs": lazy_gettext("not as answered"),
        "known": lazy_gettext("known"),
    },
    "period": {
        "hour": lazy_gettext("Last hour"),
        "day": lazy_gettext("Last day"),
        "week": lazy_gettext("Last week"),
        "month": lazy_gettext("Last month"),
        "quarter": lazy_gettext("Last quarter"),
        "year": lazy_gettext("Last year"),
    },
    "unusual": {
        "outside_range": lazy_gettext("outside range"),
        "unseen_category": lazy_gettext("unseen category"),
        "missing": lazy_gettext("missing"),
    },
}
#: The words of an address, by the labels of their fields.
ASKED = {
    "model": lazy_gettext("Model"),
    "version": lazy_gettext("Version"),
    "label": lazy_gettext("Answer"),
    "user": lazy_gettext("By"),
    "channel": lazy_gettext("Channel"),
    "subject": lazy_gettext("Reference"),
    "from": lazy_gettext("From (UTC)"),
    "to": lazy_gettext("To (UTC)"),
    "warned": lazy_gettext("Warnings"),
    "state": lazy_gettext("State"),
    "reviewed": lazy_gettext("Review"),
    "outcome": lazy_gettext("Outcome"),
    "score_from": lazy_gettext("Probability from"),
    "score_to": lazy_gettext("Probability to"),
    "q": lazy_gettext("Search"),
    "period": lazy_gettext("Period"),
    "columns": lazy_gettext("Columns"),
}
ENGLISH = Locale("en")


def named(table: str, name: str) -> str:
    """A name of one of the tables above in the reader's language; itself where it is in none."""
    return str(told(NAMES[table].get(name, name)))


def _locale() -> Locale:
    return get_locale() or ENGLISH


def utc(us: int) -> str:
    """Microseconds since the epoch, to the second."""
    return f"{date(us)} {_moment(us):%H:%M:%S} UTC"


def minute(us: int) -> str:
    """The UTC day and time of a moment, to the minute, without saying that it is UTC."""
    return f"{date(us)} {_moment(us):%H:%M}"


def date(us: int) -> str:
    """The UTC day of a moment, in digits."""
    locale, moment = _locale(), _moment(us)
    return f"{moment:%Y-%m-%d}" if locale.language == "en" else format_date(moment, "short", locale)


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC)


def day(us: int) -> str:
    """The UTC day alone where the moment is its first or last, else to the second."""
    return f"{date(us)} UTC" if us % DAY_US in (0, DAY_US - 1) else utc(us)


def last_day(us: int) -> str:
    """The day that a time ends with, where that is its last moment, else the moment."""
    return day(us - 1) if us % DAY_US == 0 else utc(us)


def moment(us: int, *, both: bool = False) -> Markup:
    """A time element: UTC as text, which a browser with JavaScript turns into its own time (or adds it)."""
    return Markup('<time class="nowrap" datetime="{}"{}>{}</time>').format(
        f"{_moment(us):%Y-%m-%dT%H:%M:%SZ}", Markup(" data-both") if both else "", utc(us)
    )


def number(value: Any, digits: int = 6) -> str:
    """A value as people read it: `digits` significant ones for a float, yes and no, a dash for nothing.

    An image is its size.
    """
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if isinstance(value, float):
        return local(f"{value:.{digits}g}".replace("-", "−"))
    return str(told(describe(value)) or value)


def rough(figure: float) -> str:
    """A figure to two digits, as is due to an error: 45.178 → 45, 1234 → 1200."""
    return number(float(f"{figure:.2g}"), 15)


def percent(share: float | None, digits: int = 1) -> str:
    """0.9816 → 98.2 %; never 0 or 100 % of what is only nearly so."""
    if share is None:
        return "–"
    shown, sign = f"{share * 100:.{digits}f}", ""
    if shown == f"{100:.{digits}f}" and share < 1:
        shown, sign = f"{100 - 10**-digits:.{digits}f}", "> "
    elif shown == f"{0:.{digits}f}" and share > 0:
        shown, sign = f"{10**-digits:.{digits}f}", "< "
    return sign + _percent(shown)


def _percent(figure: str) -> str:
    """As the language spaces it: 98.2 % in English here, 98,2% in Portuguese."""
    return str(gettext("%(figure)s %%", figure=local(figure)))


def duration(us: int | None) -> str:
    """Microseconds in the unit that reads best."""
    if us is None:
        return "–"
    if us < 1000:
        return f"{us} µs"
    if us < 999_500:
        return f"{local(f'{us / 1000:.3g}')} ms"
    return f"{local(f'{us / 1_000_000:.3g}')} s" if us < 100_000_000 else f"{thousands(round(us / 1e6))} s"


def micro(us: float) -> str:
    """Microseconds that may be a fraction of one, to three digits."""
    return f"{local(f'{us:.3g}')} µs" if us < 999.5 else duration(round(us))


def size(n_bytes: int) -> str:
    """Bytes in the unit that reads best, to three digits."""
    if n_bytes < 999.5e3:
        return f"{local(f'{n_bytes / 1e3:.3g}')} kB"
    return f"{local(f'{n_bytes / 1e6:.3g}')} MB"


def remaining(seconds: float) -> str:
    """How long something will take yet, no more exact than anybody can know it: 48 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def asked_as(word: str, fields: Container[str] = ASKED) -> str:
    """What the page calls a word of its address; itself where the page has no field for it."""
    return str(ASKED[word]) if word in ASKED and word in fields else word


def thousands(n: int) -> str:
    """12 345 678, with narrow spaces that do not break, or the sign that is usual in the language."""
    locale = _locale()
    return f"{n:,}".replace(",", "\u202f" if locale.language == "en" else get_group_symbol(locale))


def change(now: float | None, before: float | None) -> str:
    """How a figure moved against the period before, in words."""
    if now is None or before is None:
        return str(gettext("nothing to compare with in the period before"))
    if before == now:
        return str(gettext("as in the period before"))
    if before == 0:
        return str(gettext("up from 0 in the period before"))
    share = now / before - 1
    if share > 2:
        return str(gettext("%(times)s times the period before", times=thousands(round(now / before))))
    part = _percent(f"{abs(share) * 100:.0f}")
    if share > 0:
        return str(gettext("up %(share)s against the period before", share=part))
    return str(gettext("down %(share)s against the period before", share=part))


def filter_words(filters: Filters) -> list[tuple[str, str]]:
    """Each condition as (the URL's word, what it says)."""
    f = filters
    said = {
        "model": f.model and gettext("model %(name)s", name=f.model),
        "version": f.version is not None and gettext("version %(number)s", number=f.version),
        "label": f.label and gettext("answer %(label)s", label=f.label),
        "user": f.user and gettext("by %(name)s", name=f.user),
        "channel": f.channel and gettext("through %(channel)s", channel=named("channel", f.channel)),
        "subject": f.subject and gettext("reference %(subject)s", subject=f.subject),
        "job": f.job and gettext("batch …%(ending)s", ending=f.job[-8:]),
        "from": f.since_us is not None and gettext("from %(day)s", day=day(f.since_us)),
        "to": f.until_us is not None and gettext("to %(day)s", day=day(f.until_us - 1)),
        **_what_became(f),
        "q": f.q and gettext("containing “%(text)s”", text=f.q),
    }
    return [(word, text) for word, text in said.items() if text]


def _what_became(f: Filters) -> dict[str, str | None]:
    shares = [None if share is None else percent(share) for share in (f.least, f.most)]
    return {
        "warned": _either(f.warned, gettext("with warnings"), gettext("without warnings")),
        "state": f.state and gettext("state: %(state)s", state=named("state", f.state)),
        "reviewed": gettext("review: %(word)s", word=named("review", f.reviewed))
        if isinstance(f.reviewed, str)
        else _either(f.reviewed, gettext("reviewed"), gettext("not reviewed")),
        "outcome": gettext("outcome: %(word)s", word=named("verdict", f.outcome))
        if isinstance(f.outcome, str)
        else _either(f.outcome, gettext("outcome known"), gettext("outcome not known")),
        "score_from": shares[0] and gettext("probability from %(share)s", share=shares[0]),
        "score_to": shares[1] and gettext("probability to %(share)s", share=shares[1]),
    }


def _either(told: bool | None, yes: str, no: str) -> str | None:
    return None if told is None else yes if told else no


def warning(kept: Mapping[str, Any], record: Record, features: Iterable[object]) -> str:
    """What a warning on the record says: in English as it was kept, else again from the feature and its value.

    `features` are those of the record's version; where they are not known, it stays as it was kept.
    """
    known = (f for f in features if isinstance(f, Feature) and f.name == kept["feature"])
    feature = next(known, None)
    if feature is None or kept["kind"] not in NAMES["unusual"] or _locale().language == "en":
        return str(kept["detail"])
    return str(told(unusual(feature, kept["kind"], (record.used or {}).get(feature.name))))


def unchecked(kept: str, names: Iterable[str]) -> str:
    """What could not be checked when a version was published; the usual sentence in the reader's language."""
    if not kept.startswith("The model does not know its features by name;"):
        return str(told(kept))
    return str(
        told(
            said(
                "The model does not know its features by name; they are taken in the order of the file: {names}. "
                "Fit it on a table with column names to have them checked.",
                names=", ".join(names),
            )
        )
    )


def class_of(label: str | None, probabilities: dict[str, float] | None) -> str:
    """The colour of a class, by its place in the model's own order; none where that is not known."""
    order = list(probabilities or ())
    return f"c{order.index(label) % 8}" if label in order else ""


def not_given(record: Record, features: Iterable[Feature]) -> list[str]:
    """What a record was asked without, each with the default that was taken in its place."""
    if record.inputs is None or record.used is None:
        return []
    absent = [f for f in features if record.inputs.get(f.name) is None]
    return [
        gettext("%(feature)s (taken as %(value)s)", feature=f.label, value=number(record.used[f.name]))
        if f.name in record.defaulted
        else f.label
        for f in absent
    ]


GLOBALS: dict[str, Any] = {
    "class_of": class_of,
    "not_given": not_given,
    "data_uri": data_uri,
    "tiny_image": tiny,
    "image_kb": MAX_BYTES // 1000,
}
FILTERS: dict[str, Callable[..., Any]] = {
    **{table: partial(named, table) for table in NAMES},
    "told": told,
    "moment": moment,
    "utc": utc,
    "date": date,
    "last_day": last_day,
    "number": number,
    "percent": percent,
    "rough": rough,
    "duration": duration,
    "micro": micro,
    "size": size,
    "thousands": thousands,
    "remaining": remaining,
    "asked_as": asked_as,
    "filter_words": filter_words,
    "warning": warning,
    "unchecked": unchecked,
}
