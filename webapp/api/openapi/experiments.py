"""Comparisons of versions in the OpenAPI document."""

from __future__ import annotations

from webapp.api.openapi.operations import ID, IF_MATCH, MODEL, Routes, answer, link, operation, request
from webapp.api.openapi.releases import CHANGE, FROM_PATH
from webapp.api.openapi.schemas import (
    COUNT,
    MOMENT,
    NUMBER,
    TEXT,
    body_of,
    data_of,
    list_of,
    maybe,
    object_of,
    ref,
)
from webapp.services.registry import ModelDetail

TAG, ABOUT = "experiments", "Two versions on the same traffic."
SHARE = {"type": "number", "minimum": 0.001, "maximum": 1}
KIND = {"enum": ["shadow", "split"]}
_INTERVAL = {
    "oneOf": [{**list_of(NUMBER), "minItems": 2, "maxItems": 2}, {"type": "null"}],
    "description": "Of 95 %.",
}
_ARM = object_of(
    {
        "version": TEXT,
        "n": COUNT,
        "warned": COUNT,
        "labels": {"type": "object", "additionalProperties": COUNT},
        "mean": maybe(NUMBER),
        "median_us": maybe(NUMBER),
        "p95_us": maybe(NUMBER),
        "known": {**COUNT, "description": "Answers whose outcome is known."},
        "right": maybe(COUNT),
        "right_interval": _INTERVAL,
        "mean_error": maybe(NUMBER),
    }
)
_VERDICT = object_of(
    {
        "result": {"enum": ["better", "not_worse", "inconclusive"]},
        "detail": TEXT,
        "metric": TEXT,
        "n": COUNT,
        **dict.fromkeys(("champion", "challenger", "gain", "low", "high", "margin"), maybe(NUMBER)),
    }
)
_MEMBERS = {
    "id": TEXT,
    "model": TEXT,
    "kind": KIND,
    "champion": TEXT,
    "challenger": TEXT,
    "share": SHARE,
    "user": maybe(TEXT),
    "started_at": MOMENT,
    "ended_at": maybe(MOMENT),
}
_DIFFERENCE = object_of({"champion": TEXT, "challenger": TEXT, "n": COUNT})
SCHEMAS = {
    "Experiment": object_of(_MEMBERS),
    "Results": object_of(
        {
            **_MEMBERS,
            "arms": list_of(_ARM),
            "pairs": COUNT,
            "same": maybe(COUNT),
            "agreement_interval": _INTERVAL,
            "changes": list_of(_DIFFERENCE),
            "mean_difference": maybe(NUMBER),
            "largest_difference": maybe(NUMBER),
            "verdict": {"oneOf": [_VERDICT, {"type": "null"}]},
        }
    ),
}
_BEGIN = body_of({"version": TEXT, "kind": KIND}, {"share": SHARE})
_EXAMPLE = {"version": "2", "kind": "shadow"}


def routes(shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    of_first = {"show_experiment": link("show_experiment", id="$response.body#/data/0/id")}
    found = {word: link(word, id="$response.body#/id") for word in ("show_experiment", "end_experiment")}
    begun = answer("Begun", ref("Experiment"), headers={"Location": "Location"}, links=found)
    upon = {"list_releases": link("list_releases", **FROM_PATH)}
    return {
        "/models/{model}/experiments": {
            "get": operation(
                "list_experiments",
                "Comparisons of versions, newest first",
                parameters=[MODEL],
                answers={"200": answer("All of them", data_of("Experiment"), links=of_first | upon)},
                errors=(404,),
            ),
            "post": operation(
                "start_experiment",
                "Compare a version with the live one",
                body=request(_BEGIN, shown and _EXAMPLE),
                parameters=[MODEL, IF_MATCH],
                answers={"201": begun},
                errors=CHANGE,
            ),
        },
        "/experiments/{id}": {
            "get": operation(
                "show_experiment",
                "What a comparison has shown",
                parameters=[ID],
                answers={"200": answer("The comparison", ref("Results"))},
                errors=(404,),
            )
        },
        "/experiments/{id}/end": {
            "post": operation(
                "end_experiment",
                "End a comparison",
                parameters=[ID, IF_MATCH],
                answers={"200": answer("Ended", ref("Experiment"))},
                errors=CHANGE,
            )
        },
    }
