"""How large the form of a model may be: taking apart eight megabytes of tiny fields holds a worker for seconds."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from flask import current_app, request

from webapp.doors import desk
from webapp.errors import AppError
from webapp.ml.schema import Schema
from webapp.ml.schema.images import LONGEST, MAX_BYTES

#: Of what is in every form, a pasted row among it, percent-encoded.
ROOM = 128 * 1024
#: A number with its sign and its exponent, or true and false.
SHORT = 64
#: Bytes of one character beyond the ASCII ones, percent-encoded.
WIDEST = 12
#: The image that the form had before, and a file that takes its place: one that is too large by far is told so.
_IMAGE = LONGEST + 8 * MAX_BYTES


def bound(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Let a posted form be as large as its model's values can be, and no larger."""
    if request.method != "POST" or values is None:
        return
    largest, image = ROOM, False
    if (request.content_length or ROOM + 1) > ROOM:
        try:
            found = desk().resolver.find(values.get("name", ""), request.args.get("version"), actor=None)
            largest += room(found.predictor.schema)
            image = found.predictor.schema.image is not None
        except AppError:
            pass  # the page itself says what is wrong with its address
    request.max_content_length = min(largest, current_app.config["MAX_CONTENT_LENGTH"])
    if image:
        request.max_form_memory_size = LONGEST + ROOM


def room(schema: Schema) -> int:
    """The bytes that the fields of a schema can take in a form."""
    return sum(
        len(quote_plus(feature.name))
        + (
            _IMAGE
            if feature.image
            else WIDEST * feature.max_length
            if feature.kind in ("text", "category")
            else SHORT
        )
        for feature in schema.features
    )
