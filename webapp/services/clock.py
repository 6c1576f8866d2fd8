"""Time and identity of what goes on the record."""

from __future__ import annotations

import os
import time


def now_us() -> int:
    """Microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000


def new_id(prefix: str) -> str:
    """`prefix_` + 48 bits of time in milliseconds + 128 random bits, hex: unguessable, and sorted by time."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(16).hex()}"


def made_us(made: str) -> int:
    """When an id was made, to the millisecond; raises ValueError for what is no id."""
    return int(made.partition("_")[2][:12], 16) * 1000
