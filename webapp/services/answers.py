"""Answers worth remembering: only of versions whose engine costs more than a look-up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

#: Seconds of inference for one row above which remembering pays; a look-up costs about 1 µs.
WORTH = 0.0002


class AnswerCache:
    """Answers by version, or what stands for one, and row values; beyond `size` the least recently used go first."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        #: How often an answer was known, and was not.
        self.hits = self.misses = 0
        self._kept: OrderedDict[tuple[Hashable, tuple[Any, ...]], Any] = OrderedDict()

    def pays(self, cost: float) -> bool:
        """Whether an answer that takes `cost` seconds is worth remembering."""
        return cost > WORTH

    def get(self, version: Hashable, values: tuple[Any, ...]) -> Any | None:
        """The answer given before to these values, or None."""
        answer = self._kept.get((version, values))
        if answer is None:
            self.misses += 1
        else:
            self.hits += 1
            with suppress(KeyError):  # another thread may have forgotten it just now
                self._kept.move_to_end((version, values))
        return answer

    def forget(self) -> None:
        """Let go of all of them: among them may be one that was erased."""
        self._kept.clear()

    def put(self, version: Hashable, values: tuple[Any, ...], answer: Any) -> None:
        """Remember an answer."""
        self._kept[version, values] = answer
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
