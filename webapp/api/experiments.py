"""Two versions on the same traffic: begun, looked at, ended."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from webapp.api import experiment_presenters as presenters
from webapp.api.blueprint import api
from webapp.api.releases import MOST_BYTES, MOST_NAMED, revision
from webapp.api.strangers import strangers
from webapp.auth import actor
from webapp.doors import desk, json_body, json_response
from webapp.errors import InvalidInput, Problem
from webapp.services import experiments

FIELDS = ("version", "kind", "share")


@api.route("/models/<name>/experiments", methods=["GET", "POST"])
def model_experiments(name: str) -> Response:
    """The comparisons of a model, newest first; with a body, one more."""
    if request.method != "POST":
        found = experiments.search(actor(), name)
        return json_response({"data": [presenters.experiment(e) for e in found]})
    asked, upon = _read(), revision(name)
    made = experiments.start(desk(), actor(), name, **asked, revision=upon)
    answer = json_response(presenters.experiment(made), 201)
    answer.headers["Location"] = f"/api/v1/experiments/{made.id}"
    return answer


@api.get("/experiments/<experiment_id>")
def show_experiment(experiment_id: str) -> Response:
    """One comparison, and what it has shown so far."""
    return json_response(presenters.results(experiments.results(desk().store, actor(), experiment_id)))


@api.post("/experiments/<experiment_id>/end")
def end_experiment(experiment_id: str) -> Response:
    """End a comparison; what it has put on the record stays."""
    upon = revision(experiments.get(actor(), experiment_id).model)
    return json_response(presenters.experiment(experiments.end(actor(), experiment_id, revision=upon)))


def _read() -> dict[str, Any]:
    body = json_body(MOST_BYTES)
    problems = strangers(body, FIELDS, MOST_NAMED)
    for word in ("version", "kind"):
        if not isinstance(body.get(word), str):
            problems.append(Problem(f"#/{word}", "is required: a string"))
    share = body.get("share")
    if "share" in body and (isinstance(share, bool) or not isinstance(share, int | float)):
        problems.append(Problem("#/share", "must be a number"))
    if problems:
        raise InvalidInput(problems)
    return {
        "version": body["version"],
        "kind": body["kind"],
        "share": None if share is None else float(share),
    }
