"""Images within a record as words: a list or a file of many records is no place for their bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from webapp.ml.schema.images import describe


def in_words(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A row as it was received or used, with what each image is in place of it."""
    return None if row is None else {name: worded(value) for name, value in row.items()}


def worded(value: Any) -> Any:
    """“image 28×28, 1.2 kB, sha256 …” for the text of an image, its file's digest in hex; any other value unchanged."""
    told = describe(value)
    if not told:
        return value
    encoded = "".join(str(value).rpartition(",")[2].split())
    digest = hashlib.sha256(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
    return f"{told}, sha256 {digest.hexdigest()}"
