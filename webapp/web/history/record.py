"""One record: a certificate on screen and on paper, and what becomes of the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from webapp.auth import actor
from webapp.doors import desk
from webapp.errors import InvalidInput, Problem
from webapp.ml.schema import Feature
from webapp.services import disclosures, history, holds, judging, outcomes, registry, reviews
from webapp.services.clock import now_us
from webapp.services.history import Filters, Record
from webapp.services.verifying import standing
from webapp.web.addresses import COLUMNS, kept
from webapp.web.forms.notation import Notation
from webapp.web.history.blueprint import blueprint
from webapp.web.languages import decimal_sign, tag
from webapp.web.words import named

#: Warnings, classes and characters that a decision sheet has room for.
MOST_WARNINGS, MOST_CLASSES, LONGEST_REASON = 6, 8, 300
#: Of all texts that were asked about, in characters.
LONGEST_TEXTS = 600


class Named(NamedTuple):
    """A feature of which only the name is known."""

    name: str
    label: str
    unit: None = None
    kind: str = ""


class Sheet(NamedTuple):
    """Names, units and test metrics for a record; `sound`: from its version, else only what the record holds."""

    title: str
    output: str
    features: Sequence[Feature | Named]
    sound: bool
    #: Labels that a person may decide for; none for a regression.
    classes: Sequence[str]
    metrics: dict[str, Any] | None = None


class Stage(NamedTuple):
    """A part of the latency; `share` is 0..1 of the whole."""

    name: str
    us: int
    share: float


class Moment(NamedTuple):
    """One line of what became of an answer, with what was said."""

    at_us: int
    kind: str
    said: Any


@blueprint.get("/predictions/<record_id>")
def record(record_id: str) -> str:
    """What was asked, what was answered, by which version, when and for whom, and what became of it."""
    return _page(record_id)


@blueprint.get("/predictions/<record_id>/print")
def print_record(record_id: str) -> str:
    """The same as a sheet of paper."""
    found = history.get(actor(), record_id)
    if request.method != "HEAD":
        disclosures.record_printed(actor(), found.id)
    return render_template(
        "history/print.html",
        record=found,
        sheet=_sheet(found),
        standing=standing(desk().seals.keys, found.id),
        reviews=reviews.of(found.id),
        outcomes=outcomes.of(found.id),
        printed_us=now_us(),
        restrictions=holds.of_record(found.id) if actor().sees_all else [],
        most_warnings=MOST_WARNINGS,
        most_classes=MOST_CLASSES,
        longest_reason=LONGEST_REASON,
        longest_texts=LONGEST_TEXTS,
    )


@blueprint.post("/predictions/<record_id>/review")
def review(record_id: str) -> Response | tuple[str, int]:
    """Confirm the answer, or decide otherwise."""
    form = request.form
    if form.get("act") == "confirm":
        return _do(
            record_id,
            lambda: reviews.confirm(actor(), record_id, form.get("reason", "")),
            gettext("Your confirmation is on the record."),
        )

    def override() -> None:
        decision = _given("decision", gettext("Your decision"), record_id)
        reviews.override(desk().store, actor(), record_id, decision, form.get("reason", ""))

    return _do(record_id, override, gettext("Your decision is on the record."))


@blueprint.post("/predictions/<record_id>/outcome")
def outcome(record_id: str) -> Response | tuple[str, int]:
    """Say what turned out to be true."""

    def report() -> None:
        actual = _given("actual", gettext("What was true"), record_id)
        outcomes.report(desk().store, actor(), record_id, actual, "form")

    return _do(record_id, report, gettext("The outcome is on the record."))


def _do(record_id: str, act: Callable[[], Any], done: str) -> Response | tuple[str, int]:
    try:
        act()
    except InvalidInput as error:
        return _page(record_id, error.problems), 422
    flash(done)
    return redirect(url_for("history.record", record_id=record_id, **kept(), _anchor="became"))


def _given(name: str, label: str, record_id: str) -> str | float:
    """What a field holds: a class as it stands, a number as the language of the page writes it; or InvalidInput."""
    text = request.form.get(name, "").strip()
    if history.get(actor(), record_id).value is None:
        return text
    try:
        return Notation(decimal_sign(tag())).number(label, text)
    except ValueError as error:
        raise InvalidInput([Problem(f"#/{name}", error.args[0])]) from None


def _page(record_id: str, problems: Sequence[Problem] = ()) -> str:
    who, filters = actor(), Filters.read(request.args, besides=(COLUMNS,))
    found = history.get(who, record_id)
    told, true = reviews.of(found.id), outcomes.of(found.id)
    newer, older = history.neighbours(who, filters, found)
    return render_template(
        "history/record.html",
        record=found,
        sheet=_sheet(found),
        standing=standing(desk().seals.keys, found.id),
        stages=_stages(found),
        became=_became(told, true),
        review=told[-1] if told else None,
        newer=newer,
        older=older,
        filters=filters,
        alike=history.of_subject(who, found),
        may_judge=judging.may_judge(who, found) and found.state != "erased",
        restrictions=holds.of_record(found.id) if who.sees_all else [],
        wrong={p.pointer.removeprefix("#/"): p.detail for p in problems},
        typed=request.form,
    )


def _became(told: list[reviews.Reviewed], true: list[outcomes.Reported]) -> list[Moment]:
    moments = [Moment(r.at_us, "review", r) for r in told] + [Moment(o.at_us, "outcome", o) for o in true]
    return sorted(moments, key=lambda moment: moment.at_us)


def _stages(record: Record) -> list[Stage]:
    timings = [(named("stage", name), us) for name, us in record.timings.items()]
    rest = max(record.latency_us - sum(us for _, us in timings), 0)
    whole = max(record.latency_us, sum(us for _, us in timings), 1)
    return [Stage(name, us, us / whole) for name, us in [*timings, (gettext("the rest"), rest)]]


def _sheet(record: Record) -> Sheet:
    # Who may read the record may read what its columns are called, whoever may use the model now.
    model = registry.describe_sound(desk().store, record.model, record.version, actor=None)
    if model is None:  # what is on the record does not depend on the model store
        features = [Named(name, name) for name in record.used or {}]
        return Sheet(record.model, "", features, sound=False, classes=())
    output = model.schema.output
    classes = [choice.label for choice in output.classes]
    metrics = model.manifest.get("metrics")
    return Sheet(model.title, output.label, model.schema.features, True, classes, metrics)
