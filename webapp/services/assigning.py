"""Who is answered by which version: the same on every worker and after every start, for nothing is remembered."""

from __future__ import annotations

import hashlib
from typing import Final

#: Shares are compared as whole numbers below this.
WHOLE: Final = 2**64


def limit(share: float) -> int:
    """The share, 0 to 1, as `among` compares it."""
    return min(WHOLE, max(0, round(share * WHOLE)))


def among(salt: bytes, unit: bytes, limit: int) -> bool:
    """Whether `unit` is among the share.

    Its place is the first 8 bytes of SHA-256(salt ‖ unit), which is uniform in [0, 2⁶⁴).
    """
    place = int.from_bytes(hashlib.sha256(salt + unit).digest()[:8])
    return place < limit


def unit(subject: str | None, user_id: int) -> bytes:
    """What is assigned as one: the subject, or where none is given the account that asks."""
    return b"user:%d" % user_id if subject is None else b"subject:" + subject.encode()
