"""Asking a model through its form. A good form leads to its record's address, so that a reload asks nothing."""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.auth import actor
from webapp.doors import desk, tell
from webapp.errors import BadArtifact, InvalidInput, ModelFailed, NotReady, Problem, TooMany
from webapp.services import history, predictions, registry
from webapp.services.history import Record
from webapp.services.predictions import Ask, Made
from webapp.services.registry import ModelDetail
from webapp.web.forms import ModelForm

blueprint = Blueprint("predictions", __name__)


@blueprint.route("/models/<name>/predict", methods=["GET", "POST"])
def form(name: str) -> Response | str | tuple[str, int, dict[str, str]]:
    """The form of the version that answers or of `?version=`: empty, with an example, or beside `?record=`."""
    version = request.args.get("version") or None
    model = registry.describe(desk().store, name, version, actor=actor())
    if request.method != "POST":
        return _page(model, *_asked(model))
    form = ModelForm(model.schema, request.form)
    try:
        if form.valid():
            made = _make(model, form)
            there = url_for("predictions.form", name=name, version=version, record=made.id, _anchor="answer")
            return redirect(there)
        # The service counts what it refuses itself, and never hears of this one.
        desk().failures.note(model.name, InvalidInput([Problem("#/inputs", "cannot be used")]))
    except InvalidInput as error:
        form.refuse(error.problems)
    except (BadArtifact, ModelFailed, NotReady, TooMany) as error:
        told = tell(error)
        return _page(model, form, failed=told.detail), told.status.code, told.headers
    return _page(model, form), 422, {}


def _asked(model: ModelDetail) -> tuple[ModelForm, Record | None]:
    form, record = ModelForm(model.schema), None
    if record_id := request.args.get("record"):
        record = history.get(actor(), record_id)
        form.fill(record.inputs or {})
        form.subject = record.subject or ""
    elif "example" in request.args:
        form.fill(model.schema.example())
    else:
        form.fill({f.name: f.default for f in model.schema.features})
    return form, record if record and record.model == model.name else None


def _make(model: ModelDetail, form: ModelForm) -> Made:
    ask = Ask(
        model=model.name,
        version=model.version,
        rows=[form.row],
        channel="form",
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


def _page(model: ModelDetail, form: ModelForm, record: Record | None = None, failed: str = "") -> str:
    return render_template("predictions/form.html", model=model, form=form, record=record, failed=failed)
