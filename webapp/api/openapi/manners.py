"""What every operation of a kind has in common in the OpenAPI document: tags of what is read, links between pages."""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
CURSOR_REF = {"$ref": "#/components/parameters/Cursor"}
TAG = {"description": "Changes with what is answered.", "schema": {**TEXT, "pattern": '^"[!#-~]+"$'}}
LINKS = {
    "description": "RFC 8288: first, and next and prev where there are such pages.",
    "schema": TEXT,
}
SEEN = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an earlier answer; nothing is sent where it is still the one of now.",
    "schema": TEXT,
}


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with the headers and answers that routes do not name one by one."""
    paths = {
        path: {**operations, "get": _read(operations["get"])} if "get" in operations else operations
        for path, operations in document["paths"].items()
    }
    return {**document, "paths": paths}


def _read(operation: dict[str, Any]) -> dict[str, Any]:
    answers, named = operation["responses"], operation.get("parameters", [])
    if "application/json" not in answers.get("200", {}).get("content", {}):
        return operation
    links = {"Link": LINKS} if CURSOR_REF in named else {}
    tag = {"ETag": TAG}
    read = {
        "200": {**answers["200"], "headers": {**answers["200"].get("headers", {}), **tag, **links}},
        "304": {"description": "Nothing has changed", "headers": tag},
    }
    return {**operation, "parameters": [*named, SEEN], "responses": {**answers, **read}}
