"""The extensions of the Open Inference Protocol that tell of the models: their index, and statistics."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from webapp.auth import actor
from webapp.doors import desk, json_response
from webapp.errors import InvalidInput, Problem
from webapp.services import states, usage
from webapp.services.usage import Usage
from webapp.wire.bodies import json_object, sent
from webapp.wording import said

blueprint = Blueprint("repository", __name__, url_prefix="/v2")


@blueprint.post("/repository/index")
def index() -> Response:
    """Every version of the models, with whether it can answer; with `{"ready": true}` only those that can."""
    data = sent()
    only_ready = json_object(data).get("ready", False) if data.strip() else False
    if type(only_ready) is not bool:
        raise InvalidInput([Problem("#/ready", said("must be true or false"))])
    return json_response(
        [
            {
                "name": one.model,
                "version": one.version,
                "state": "UNAVAILABLE" if one.problem else "READY",
                "reason": one.problem,
            }
            for one in states.list_states(desk().store, actor())
            if not (only_ready and one.problem)
        ]
    )


@blueprint.get("/models/<name>/stats")
@blueprint.get("/models/<name>/versions/<version>/stats")
def statistics(name: str, version: str | None = None) -> Response:
    """How many rows each version has answered, and in what time, of what the caller may see."""
    told = [_told(name, one) for one in usage.usage(actor(), name, version)]
    return json_response({"model_stats": told})


def _told(name: str, one: Usage) -> dict[str, Any]:
    return {
        "name": name,
        "version": one.version,
        "last_inference": (one.last_us or 0) // 1000,
        "inference_count": one.answers,
        "execution_count": one.answers,
        "inference_stats": {"success": {"count": one.answers, "ns": one.latency_us * 1000}},
    }
