"""JSON schemas that all parts of the OpenAPI document are made of."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
#: Of a model or an alias.
NAME: Schema = {**TEXT, "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}
FLAG: Schema = {"type": "boolean"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
MOMENT: Schema = {**TEXT, "format": "date-time"}
SHA256: Schema = {**TEXT, "pattern": "^[0-9a-f]{64}$"}


def ref(name: str) -> Schema:
    """The schema of that name among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Schema) -> Schema:
    """The schema, or null."""
    if "type" not in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def list_of(schema: Schema) -> Schema:
    """An array of these."""
    return {"type": "array", "items": schema}


def object_of(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Schema:
    """An object with these properties."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def body_of(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Schema:
    """An object with these properties and no other, as requests are held to."""
    return {**object_of(required, optional), "additionalProperties": False}


def page_of(name: str) -> Schema:
    """A page of a list."""
    return object_of({"data": list_of(ref(name)), "has_more": FLAG, "next_cursor": maybe(TEXT)})


def data_of(name: str) -> Schema:
    """A list that is given whole."""
    return object_of({"data": list_of(ref(name))})
