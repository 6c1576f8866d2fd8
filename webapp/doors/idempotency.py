"""The key by which a request that is sent again is known (IETF draft *The Idempotency-Key HTTP Header Field*)."""

from __future__ import annotations

import re

from webapp.errors import InvalidInput, Problem
from webapp.wording import said

KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')


def idempotency_key(header: str) -> str:
    """The key in the header, with quotes or without; raises InvalidInput."""
    match = KEY.fullmatch(header)
    if match is None:
        told = said("the Idempotency-Key header must be 1 to 255 visible ASCII characters")
        raise InvalidInput([Problem("#", told)])
    return match[1]
