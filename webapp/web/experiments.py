"""Two versions on the same traffic: begun, looked at, ended."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from webapp.auth import PUBLISHERS, actor
from webapp.doors import desk, tell
from webapp.errors import Conflict, InvalidInput, NotReady, Outdated, Problem
from webapp.services import experiments, registry, releases
from webapp.web.releases import revision
from webapp.wording import said

blueprint = Blueprint("experiments", __name__)


@blueprint.get("/models/<name>/experiments")
def index(name: str) -> str:
    """The comparisons of a model, and, for who may, the form that begins one."""
    return _page(name)


@blueprint.post("/models/<name>/experiments/start")
def start(name: str) -> Response | tuple[str, int]:
    """Begin a comparison."""
    form = request.form
    try:
        made = experiments.start(
            desk(),
            actor(),
            name,
            form.get("version", ""),
            kind=form.get("kind", ""),
            share=_share(form.get("share", "")),
            revision=revision(),
        )
    except (Conflict, InvalidInput, NotReady, Outdated) as error:
        told = tell(error)
        fields = {p.pointer.removeprefix("#/"): p.detail for p in told.problems}
        return _page(name, fields, "" if fields else told.detail), told.status.code
    flash(gettext("The comparison has begun."))
    return redirect(url_for("experiments.show", experiment_id=made.id))


@blueprint.get("/experiments/<experiment_id>")
def show(experiment_id: str) -> str:
    """One comparison, and what it has shown so far."""
    who = actor()
    found = experiments.results(desk().store, who, experiment_id)
    return render_template(
        "experiments/show.html",
        found=found,
        of=found.experiment,
        may=who.role in PUBLISHERS and found.experiment.ended_us is None,
        revision=releases.standing(found.experiment.model, actor=who).revision,
    )


@blueprint.post("/experiments/<experiment_id>/end")
def end(experiment_id: str) -> Response:
    """End a comparison."""
    experiments.end(actor(), experiment_id, revision=revision())
    flash(gettext("The comparison has ended; what it has put on the record stays."))
    return redirect(url_for("experiments.show", experiment_id=experiment_id))


def _share(text: str) -> float | None:
    """A percentage as people write it, as a share; None for nothing."""
    if not text.strip():
        return None
    try:
        return float(text.strip().rstrip("%").strip().replace(",", ".")) / 100
    except ValueError:
        raise InvalidInput([Problem("#/share", said("must be a number of per cent, such as 50"))]) from None


def _page(name: str, problems: dict[str, str] | None = None, failed: str = "") -> str:
    who = actor()
    found = experiments.search(who, name)
    return render_template(
        "experiments/index.html",
        now=releases.standing(name, actor=who),
        versions=registry.list_versions(name, actor=who),
        experiments=found,
        running=next((e for e in found if e.ended_us is None), None),
        may=who.role in PUBLISHERS,
        typed=request.form,
        problems=problems or {},
        failed=failed,
    )
