"""How often one account, or one address, may ask: a token bucket each, of which a worker has its share."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Hashable
from typing import NamedTuple

from webapp.errors import TooMany
from webapp.wording import said

#: Buckets above which those that are full again are let go of.
MOST = 10_000
WINDOW = 60


class Left(NamedTuple):
    """What is left of a quota in this worker: requests at least, and seconds until all of its share is back."""

    requests: int
    seconds: int


class Quota:
    """`per_minute` requests a key over `workers` processes, with bursts up to that number; 0 is no limit."""

    def __init__(self, per_minute: int, workers: int = 1, name: str = "account") -> None:
        self.name = name
        #: As RateLimit-Policy says it (draft-ietf-httpapi-ratelimit-headers); empty without a limit.
        self.policy = f'"{name}";q={per_minute};w={WINDOW}' if per_minute else ""
        self._size = per_minute / workers
        self._rate = self._size / WINDOW
        #: key -> (tokens left, at what monotonic time)
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def spend(self, key: Hashable) -> Left | None:
        """Take one token; None where there is no limit. Raises TooMany with the seconds until there is one again."""
        if not self._size:
            return None
        now = time.monotonic()
        left, at = self._buckets.get(key, (self._size, now))
        left = min(self._size, left + (now - at) * self._rate)
        if left < 1:
            wait = math.ceil((1 - left) / self._rate)
            raise TooMany(_empty(self.name, wait), wait, self.name)
        if len(self._buckets) >= MOST:
            self._forget(now)
        left -= 1
        self._buckets[key] = (left, now)
        return Left(int(left), math.ceil((self._size - left) / self._rate))

    def _forget(self, now: float) -> None:
        kept = {
            key: (left, at)
            for key, (left, at) in self._buckets.items()
            if left + (now - at) * self._rate < self._size
        }
        self._buckets = kept if len(kept) < MOST else {}


def _empty(name: str, seconds: int) -> str:
    if name == "address":
        return said("Too many requests come from your address; try again in {seconds} s.", seconds=seconds)
    return said("This account has used up its requests; try again in {seconds} s.", seconds=seconds)


def network(address: str) -> str:
    """What counts as one address: an IPv4 address itself, of IPv6 the first 64 bits, which one household has."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
