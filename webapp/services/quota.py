"""How often one account may ask: a token bucket a worker, each with its share of the whole."""

from __future__ import annotations

import math
import time

from webapp.errors import TooMany
from webapp.wording import said


class Quota:
    """`per_minute` requests an account over `workers` processes, with bursts up to that number; 0 is no limit."""

    def __init__(self, per_minute: int, workers: int = 1) -> None:
        self._size = per_minute / workers
        self._rate = self._size / 60
        #: account -> (tokens left, at what monotonic time)
        self._buckets: dict[int, tuple[float, float]] = {}

    def spend(self, account: int) -> None:
        """Take one token; raises TooMany with the seconds until there is one again."""
        if not self._size:
            return
        now = time.monotonic()
        left, at = self._buckets.get(account, (self._size, now))
        left = min(self._size, left + (now - at) * self._rate)
        if left < 1:
            wait = math.ceil((1 - left) / self._rate)
            raise TooMany(
                said("This account has used up its requests; try again in {seconds} s.", seconds=wait), wait
            )
        self._buckets[account] = (left - 1, now)
