"""JSON schemas that all parts of the OpenAPI document are made of."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
ENGINES = {"type": "array", "items": {"$ref": "#/components/schemas/Engine"}}
MOMENT = {**TEXT, "format": "date-time"}


def object_of(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these properties."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}
