"""Models, their versions, and two of those beside each other, in the OpenAPI document."""

from __future__ import annotations

from webapp.api.openapi.operations import (
    MODEL,
    NUMBER_OF_VERSION,
    VERSION,
    Routes,
    answer,
    in_query,
    link,
    operation,
)
from webapp.api.openapi.schemas import (
    COUNT,
    FLAG,
    MOMENT,
    TEXT,
    Schema,
    data_of,
    list_of,
    maybe,
    object_of,
    ref,
)
from webapp.services.registry import ModelDetail

TAG, ABOUT = "models", "Models that answer, and their versions."
ANY: Schema = {"type": "object"}
_LINE = {"name": TEXT, "title": TEXT, "description": TEXT, "task": TEXT, "version": TEXT}
_DETAIL = {
    **_LINE,
    "schema": {**ANY, "description": "The features, in the form that manifests keep."},
    "json_schema": {**ANY, "description": "A row as JSON Schema."},
    "card": maybe(ANY),
    "metrics": maybe(ANY),
    "engines": maybe({**ANY, "properties": {"picked": TEXT, "options": list_of(ref("Engine"))}}),
    "warnings": list_of(TEXT),
    "artifact_sha256": TEXT,
    "created_at": MOMENT,
}
_FILES = dict.fromkeys(("source_sha256", "filename", "data_sha256", "test_sha256"), maybe(TEXT))
_DIFFERENCE = object_of({"feature": maybe(TEXT), "member": TEXT, "from": {}, "to": {}})
SCHEMAS: dict[str, Schema] = {
    "Model": object_of({**_LINE, "versions": COUNT}),
    "ModelInFull": object_of(_DETAIL),
    "Version": object_of(
        {
            "version": TEXT,
            "live": FLAG,
            "aliases": list_of(TEXT),
            "artifact_sha256": TEXT,
            "created_at": MOMENT,
        }
    ),
    "VersionInFull": object_of(
        {
            **_DETAIL,
            "live": FLAG,
            "profile": ANY,
            "lineage": object_of(_FILES),
            "manifest_sha256": TEXT,
            "published_by": maybe(TEXT),
        }
    ),
    "Comparison": object_of(
        {
            "from": TEXT,
            "to": TEXT,
            "schema": list_of(_DIFFERENCE),
            "metrics": ANY,
            "same_rows": maybe(FLAG),
            "card": ANY,
            "software": ANY,
            "engines": ANY,
            "predictions": maybe(ANY),
            "reason": maybe(TEXT),
        }
    ),
}


def routes(shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    chosen = {"example": "1"} if shown else {}
    sides = [in_query(side, NUMBER_OF_VERSION, required=True, **chosen) for side in ("from", "to")]
    name = "$response.body#/data/0/name"
    of_first = {w: link(w, model=name) for w in ("show_model", "list_versions", "list_releases", "predict")}
    newest = {
        "show_version": link(
            "show_version", model="$request.path.model", version="$response.body#/data/0/version"
        )
    }
    return {
        "/models": {
            "get": operation(
                "list_models",
                "Models that answer",
                answers={"200": answer("All of them", data_of("Model"), links=of_first)},
            )
        },
        "/models/{model}": {
            "get": operation(
                "show_model",
                "Schema, card and metrics of a model",
                parameters=[MODEL, in_query("version", TEXT, description="The live one if left out.")],
                answers={"200": answer("The model", ref("ModelInFull"))},
                errors=(404,),
            )
        },
        "/models/{model}/versions": {
            "get": operation(
                "list_versions",
                "Versions of a model, newest first",
                parameters=[MODEL],
                answers={"200": answer("All of them", data_of("Version"), links=newest)},
                errors=(404,),
            )
        },
        "/models/{model}/versions/{version}": {
            "get": operation(
                "show_version",
                "One version: card, metrics with intervals, engines, lineage",
                parameters=[MODEL, VERSION],
                answers={"200": answer("The version", ref("VersionInFull"))},
                errors=(404,),
            )
        },
        "/models/{model}/compare": {
            "get": operation(
                "compare_versions",
                "What changed from one version to another",
                parameters=[MODEL, *sides],
                answers={"200": answer("The differences", ref("Comparison"))},
                errors=(404, 422),
            )
        },
    }
