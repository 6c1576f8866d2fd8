"""Asking a model through its form. A good form leads to its record's address, so that a reload asks nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from webapp.auth import actor
from webapp.doors import desk, tell
from webapp.errors import (
    AppError,
    BadArtifact,
    Conflict,
    InvalidInput,
    ModelFailed,
    NotFound,
    NotReady,
    Problem,
    TooMany,
)
from webapp.ml.schema import Feature
from webapp.services import history, predictions, registry
from webapp.services.history import Record
from webapp.services.predictions import Ask, Made
from webapp.services.predictions.recent import recent
from webapp.services.registry import ModelDetail
from webapp.web.forms import PASTED, WHAT_IF, ModelForm, limits, paste
from webapp.web.languages import tag

blueprint = Blueprint("predictions", __name__)
blueprint.url_value_preprocessor(limits.bound)

Page = str | tuple[str, int, dict[str, str]]


@dataclass
class Beside:
    """What the page says beside the form: an answer, the one before it, and notes."""

    record: Record | None = None
    before: Record | None = None
    failed: str = ""
    notes: list[str] = field(default_factory=list)
    problem: str = ""


class Change(NamedTuple):
    """A feature whose value is another than before."""

    feature: Feature
    before: Any
    now: Any


def _count(model: str, error: AppError) -> None:
    desk().failures.note(model, error)
    desk().meters.refused(error)


@blueprint.route("/models/<name>/predict", methods=["GET", "POST"])
def form(name: str) -> Response | Page:
    """The form of the version that answers or of `?version=`: empty, with an example, or beside `?record=`."""
    model = _model(name)
    if request.method != "POST":
        return _page(model, *_asked(model))
    form = ModelForm(model.schema, request.form, tag(), request.files)
    if changed := _changed_meanwhile(model, form):
        _count(model.name, Conflict(changed))
        return _page(model, form, Beside(failed=changed)), 409, {}
    try:
        if form.valid():
            return redirect(_address(model, record=_make(model, form).id, before=form.before or None))
        # The service counts what it refuses itself, and never hears of this one.
        _count(model.name, InvalidInput([Problem("#/inputs", "cannot be used")]))
    except InvalidInput as error:
        form.refuse(error.problems)
    except (BadArtifact, ModelFailed, NotReady, TooMany) as error:
        told = tell(error)
        return _page(model, form, Beside(failed=told.detail)), told.status.code, told.headers
    return _page(model, form), 422, {}


@blueprint.post("/models/<name>/fill")
def fill(name: str) -> Page:
    """The form with what was typed into it and a row that was pasted; nothing is asked."""
    model = _model(name)
    form = ModelForm(model.schema, request.form, tag(), request.files)
    notes = []
    if text := request.form.get(PASTED, ""):
        found = paste.read(model.schema.features, text, form.notation)
        form.put(found.texts)
        notes = list(_said_of(found, model))
    elif PASTED in request.form:
        notes = [gettext("Nothing was pasted, so nothing is filled.")]
    form.look_over()
    return _page(model, form, Beside(notes=notes))


def _model(name: str) -> ModelDetail:
    return registry.describe(desk().store, name, request.args.get("version") or None, actor=actor())


def _address(model: ModelDetail, **query: str | None) -> str:
    version = request.args.get("version") or None
    return url_for(
        "predictions.form", _anchor="answer", _external=False, name=model.name, version=version, **query
    )


def _asked(model: ModelDetail) -> tuple[ModelForm, Beside]:
    form, beside = ModelForm(model.schema, language=tag()), Beside()
    if record_id := request.args.get("record"):
        beside.record = history.get(actor(), record_id)
    elif wanted := request.args.get("load"):
        # As it is copied: alone, or in the address of its page.
        record_id = wanted.strip().rstrip("/").rpartition("/")[2].partition("?")[0].partition("#")[0]
        try:
            beside.record = history.get(actor(), record_id)
        except NotFound as error:
            beside.problem = error.detail
    if record := beside.record:
        form.fill(record.inputs or {})
        form.subject = record.subject or ""
        if record.model != model.name:
            beside.record = None
            shared = (record.inputs or {}).keys() & set(model.schema.names)
            beside.notes.append(
                gettext(
                    "This record is of the model %(model)s: values of the same names were taken.",
                    model=record.model,
                )
                if shared
                else gettext(
                    "This record is of the model %(model)s, which has no feature in common with this one.",
                    model=record.model,
                )
            )
        beside.before = _before(record)
    elif "example" in request.args:
        form.fill(model.schema.example())
    else:
        form.fill({f.name: f.default for f in model.schema.features})
    return form, beside


def _before(record: Record) -> Record | None:
    """The answer that this one is shown beside: of the same model, and for a row that is not quite another."""
    try:
        before = history.get(actor(), request.args["before"]) if request.args.get("before") else None
    except NotFound:
        return None
    if before is None or before.id == record.id or before.model != record.model:
        return None
    return before


def _changed_meanwhile(model: ModelDetail, form: ModelForm) -> str:
    """What is said where other values are asked for than when the page was made; empty where they are not."""
    if form.version in ("", model.version):
        return ""
    try:
        seen = registry.describe(desk().store, model.name, form.version, actor=actor())
    except AppError:
        seen = None
    if seen and seen.schema.digest == model.schema.digest:
        return ""
    told: str = gettext(
        "Version %(version)s answers since this page was made, and it asks for other values. Nothing was asked: "
        "look the values over, then press Predict again.",
        version=model.version,
    )
    return told


def _said_of(found: paste.Pasted, model: ModelDetail) -> Any:
    filled = sum(bool(text) for text in found.texts.values())
    n = len(model.schema.features)
    if found.heading:
        yield gettext(
            "%(filled)s of %(n)s fields filled from the pasted row, by its heading.", filled=filled, n=n
        )
    else:
        yield gettext(
            "%(filled)s of %(n)s fields filled from the pasted row, in their order.", filled=filled, n=n
        )
    if found.sign == ",":
        yield gettext("Its numbers were taken to have a comma for decimals.")
    else:
        yield gettext("Its numbers were taken to have a point for decimals.")
    missing = [f.label for f in model.schema.features if f.name not in found.texts]
    if missing:
        yield gettext(
            "Left as they were: %(names)s.", names=", ".join(missing[:20]) + (", …" if missing[20:] else "")
        )
    if found.strangers:
        yield gettext("Not a feature of this model: %(names)s.", names=", ".join(found.strangers[:20]))
    if found.spare:
        yield ngettext("%(num)d cell was left over.", "%(num)d cells were left over.", found.spare)
    if found.more:
        yield ngettext(
            "%(num)d more row was not used.",
            "%(num)d more rows were not used; a batch takes them all.",
            found.more,
        )


def _make(model: ModelDetail, form: ModelForm) -> Made:
    # Unless one was named, whichever answers now, so that a comparison of versions takes in what is asked by form.
    named = model.version if form.what_if else request.args.get("version") or None
    ask = Ask(
        model=model.name,
        version=named,
        rows=[form.row],
        channel=WHAT_IF if form.what_if else "form",
        request_id=g.request_id,
        started_ns=g.started_ns,
        subject=form.subject or None,
        idempotency_key=f"form-{form.fingerprint()}",
        fingerprint=form.fingerprint(),
    )
    [made] = predictions.make(desk(), actor(), ask)
    if not isinstance(made, Made):  # only rows of a list are refused one by one
        raise InvalidInput(made.problems)
    return made


def _changes(model: ModelDetail, beside: Beside) -> list[Change] | None:
    """What is other than before; None where there is nothing to compare, or most of the row is another."""
    record, before = beside.record, beside.before
    if record is None or before is None or record.used is None or before.used is None:
        return None
    pairs = [Change(f, before.used.get(f.name), record.used.get(f.name)) for f in model.schema.features]
    changes = [pair for pair in pairs if pair.before != pair.now]
    return changes if record.channel == WHAT_IF or len(changes) <= max(1, len(pairs) // 2) else None


def _page(model: ModelDetail, form: ModelForm, beside: Beside | None = None) -> str:
    beside = beside or Beside()
    changes = _changes(model, beside)
    record = beside.record
    if changes is None:
        beside.before = None
    #: What-ifs are compared with the answer they began from, not with each other.
    kept = beside.before if record and beside.before and record.channel == WHAT_IF else record
    return render_template(
        "predictions/form.html",
        model=model,
        form=form,
        beside=beside,
        record=record,
        before=beside.before,
        changes=changes,
        base=kept.id if kept else form.before,
        latest=recent(actor(), model.name),
    )
