"""Bars that say how far something is: in a notebook as a widget where it has them, else as text."""

from __future__ import annotations

import io
import warnings
from typing import Any

with warnings.catch_warnings():  # without widgets it says at length that bars are text, which anybody sees
    warnings.simplefilter("ignore")
    from tqdm.auto import tqdm


#: Of a share that somebody else works on: its stages tell nothing of the time that is left.
SHARE = "{l_bar}{bar}| {elapsed}"


def bar(total: float, text: str, *, shown: bool, unit: str = "", scale: bool = False) -> Any:
    """A bar of tqdm, which stays when it is done; without `shown`, one that says nothing.

    Without a `unit` it is a share, of which only the time that has passed is told.
    """
    return tqdm(
        total=total,
        desc=text,
        unit=unit,
        unit_scale=scale,
        unit_divisor=1024,
        bar_format=None if unit else SHARE,
        disable=not shown,
    )


def fill(bar: Any) -> None:
    """Let a bar end full where there was less than was asked for: what has been counted is all there is."""
    if bar.disable or bar.n == bar.total:
        return
    counted, begun = bar.n, bar.start_t
    bar.reset(total=counted)  # of a widget too, which a new total alone would not move
    bar.start_t = begun
    bar.update(counted)


class Told(io.BytesIO):
    """Bytes that move a bar as they are read; read again from the start, the bar begins anew."""

    def __init__(self, data: bytes, bar: Any) -> None:
        super().__init__(data)
        self._bar, self._size = bar, len(data)

    def __len__(self) -> int:  # which requests takes for the length of the body
        return self._size

    def read(self, size: int | None = -1, /) -> bytes:
        part = super().read(size)
        self._bar.update(len(part))
        return part

    def seek(self, place: int, whence: int = 0, /) -> int:
        found = super().seek(place, whence)
        self._bar.update(found - self._bar.n)
        return found
