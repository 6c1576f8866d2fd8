"""The OpenAPI 3.1 document: a part for each feature, and a concrete request for each published model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apispec import APISpec

from webapp.api.openapi import (
    audit,
    experiments,
    jobs,
    manners,
    models,
    operations,
    predictions,
    records,
    releases,
    submissions,
    tokens,
    wire,
)
from webapp.services.registry import ModelDetail

#: In the order in which they are shown; each has TAG, ABOUT, SCHEMAS and `routes`.
PARTS = (tokens, models, predictions, records, audit, jobs, releases, experiments, submissions, wire)
BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def document(version: str, details: Iterable[ModelDetail], default: str = "") -> dict[str, Any]:
    """The document as a dict, for the models given; examples are of the model `default`, if that is among them."""
    published = list(details)
    shown = next((d for d in published if d.name == default), published[0] if published else None)
    spec = APISpec(
        title="Parecer",
        version=version,
        openapi_version="3.1.0",
        info={"description": "Predictions with every answer on the record."},
        servers=[{"url": "/api/v1"}],
        tags=[{"name": part.TAG, "description": part.ABOUT} for part in PARTS],
    )
    spec.components.security_scheme("bearer", {**BEARER, "description": "An access token."})
    spec.components.security_scheme("refresh", {**BEARER, "description": "A refresh token."})
    _components(spec, shown)
    for part in PARTS:
        _describe(spec, part.routes(shown), part.TAG)
    _describe(spec, predictions.concrete(published, default), predictions.TAG)
    return manners.describe(spec.to_dict())


def _components(spec: APISpec, shown: ModelDetail | None) -> None:
    for part in (operations, *PARTS):
        for name, schema in part.SCHEMAS.items():
            spec.components.schema(name, schema)
    for name, header in operations.HEADERS.items():
        spec.components.header(name, header)
    for name, problem in operations.problems().items():
        spec.components.response(name, problem)
    for name, parameter in operations.parameters(shown.name if shown else None).items():
        spec.components.parameter(name, parameter["in"], parameter)


def _describe(spec: APISpec, routes: operations.Routes, tag: str) -> None:
    for path, found in routes.items():
        spec.path(path, operations={method: {**told, "tags": [tag]} for method, told in found.items()})
