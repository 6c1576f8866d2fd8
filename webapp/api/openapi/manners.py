"""What every operation of a kind has in common in the OpenAPI document: tags of what is read, links between pages."""

from __future__ import annotations

from typing import Any

from webapp.api.openapi.operations import CURSOR, JSON

LINK = {"Link": {"$ref": "#/components/headers/Link"}}
TAG = {"ETag": {"$ref": "#/components/headers/Tag"}}
SEEN = {"$ref": "#/components/parameters/IfNoneMatch"}
UNCHANGED = {
    "description": "Nothing has changed",
    "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}, **TAG},
}


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with the headers and answers that routes do not name one by one."""
    paths = {
        path: {**operations, "get": _read(operations["get"])} if "get" in operations else operations
        for path, operations in document["paths"].items()
    }
    return {**document, "paths": paths}


def _read(operation: dict[str, Any]) -> dict[str, Any]:
    answers, named = operation["responses"], operation["parameters"]
    # Another protocol has no tags.
    if "servers" in operation or JSON not in answers["200"].get("content", {}):
        return operation
    links = LINK if {"$ref": f"#/components/parameters/{CURSOR}"} in named else {}
    told = {**answers["200"], "headers": {**TAG, **answers["200"]["headers"], **links}}
    return {
        **operation,
        "parameters": [*named, SEEN],
        "responses": {**answers, "200": told, "304": UNCHANGED},
    }
