"""How much memory a process that asks models may take: too large a question ends in an error, not the process."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

#: Of all the memory there is. What is left keeps the other processes alive while one is refused.
SHARE: Final = 0.75
#: Bytes beyond what is taken already, that are granted wherever there is little.
LEAST: Final = 2**30
#: Where a container's own limit stands.
_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def bound_memory(share: float = SHARE, least: int = LEAST) -> int:
    """Let no allocation of this process go beyond `share` of the memory there is; returns the limit in bytes.

    The kernel counts what is private and writable (RLIMIT_DATA), reserved or used. A stricter limit stays.
    """
    limit = max(int(there_is() * share), _taken() + least)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [limit, *(known for known in (soft, hard) if known != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    return min(bounds)


def there_is() -> int:
    """Bytes of memory of this machine, or of this container where that is less."""
    known = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in _LIMITS:
        try:
            known.append(int(path.read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(known)


def _taken() -> int:
    """Bytes of private writable memory that this process has reserved."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
