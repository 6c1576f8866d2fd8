"""One field of the form: what it is drawn as, and what can be said of a value before it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, inf, isfinite, log10
from typing import Literal, NamedTuple

from webapp.ml.schema import Feature
from webapp.web.forms.notation import Notation
from webapp.wording import said

Widget = Literal["number", "segments", "select", "list", "text", "image"]
MOST_SEGMENTS, WIDEST_SEGMENTS = 5, 60
MOST_OPTIONS = 30
#: Of the learned range, on either side of it: how far a slider reaches beyond.
MARGIN = 1 / 8
FEWEST_STEPS = 50


class Option(NamedTuple):
    """What is sent, and the words for it."""

    text: str
    label: str


class Scale(NamedTuple):
    """From where to where the band and its slider go, in steps; what was learned lies at `left`..`right` percent."""

    low: float
    high: float
    step: float
    left: float
    right: float

    def place(self, value: float) -> float:
        """Percent from the left, held within the band."""
        return round(min(max((value - self.low) / (self.high - self.low), 0), 1) * 100, 1)


@dataclass(frozen=True)
class FormField:
    """A feature in the form; `text` is what the field holds, `problem` what is wrong with it."""

    feature: Feature
    notation: Notation
    #: What the browser sends it as, and what the page calls it.
    name: str
    id: str
    text: str = ""
    problem: str = ""

    @cached_property
    def widget(self) -> Widget:
        """What it is drawn as."""
        feature = self.feature
        if feature.kind == "image":
            return "image"
        if not self.options:
            return "number" if feature.kind in ("number", "integer") else "text"
        if (
            len(self.options) <= MOST_SEGMENTS
            and sum(len(o.label) + 4 for o in self.options) <= WIDEST_SEGMENTS
        ):
            return "segments"
        return "select" if len(self.options) <= MOST_OPTIONS else "list"

    @cached_property
    def options(self) -> list[Option]:
        """What there is to choose from, if anything; without the choice of giving nothing."""
        feature = self.feature
        if feature.kind == "boolean":
            labels = {c.value: c.label for c in feature.choices}
            yes: str = labels.get(True) or said("Yes")
            no: str = labels.get(False) or said("No")
            return [Option("true", yes), Option("false", no)]
        return [Option(self.notation.write(c.value), c.label) for c in feature.choices]

    @cached_property
    def without(self) -> str:
        """The words for giving nothing, where that is allowed."""
        feature = self.feature
        if feature.default is not None:
            return said("Not given")
        return said("Not known") if feature.nullable else ""

    @property
    def odd(self) -> str:
        """What the field holds, if it is none of its options."""
        return "" if self.text in {o.text for o in self.options} else self.text

    @cached_property
    def learned(self) -> tuple[float, float]:
        """The range that the version learned from, without ends where it is not known."""
        known = self.feature.learned
        low = known.minimum if known and known.minimum is not None else -inf
        return low, known.maximum if known and known.maximum is not None else inf

    @cached_property
    def allowed(self) -> tuple[float, float]:
        """The range outside which a value is refused."""
        low, high = self.feature.minimum, self.feature.maximum
        return -inf if low is None else low, inf if high is None else high

    @cached_property
    def scale(self) -> Scale | None:
        """The band under a number; None where there is no range to show."""
        if self.widget != "number":
            return None
        (low, high), (least, most) = self.learned, self.allowed
        margin = (high - low) * MARGIN if isfinite(high - low) else 0
        low, high = (low, high) if isfinite(high - low) else (least, most)
        if not 0 < high - low < inf:
            return None
        step = 10.0 ** floor(log10((high - low) / FEWEST_STEPS))
        step = max(step, 1.0) if self.feature.kind == "integer" else step
        first, last = floor((low - margin) / step), ceil((high + margin) / step)
        first = ceil(least / step) if first * step < least else first
        last = floor(most / step) if last * step > most else last
        begin, end = float(f"{first * step:.10g}"), float(f"{last * step:.10g}")
        if not begin < end:
            return None
        scale = Scale(begin, end, step, 0, 0)
        return scale._replace(left=scale.place(low), right=scale.place(high)) if margin else scale

    @property
    def value(self) -> float | None:
        """The number that the field holds; None where it holds none."""
        try:
            return self.notation.number(self.feature.label, self.text.strip())
        except ValueError:
            return None

    @property
    def mark(self) -> float | None:
        """Where on the band the field's value lies, in percent."""
        return None if self.scale is None or self.value is None else self.scale.place(self.value)

    @cached_property
    def sentences(self) -> dict[str, str]:
        """What can be said of a value before it is sent, by the kind of value: the page's script chooses."""
        return dict(self._sentences())

    def _sentences(self) -> Iterator[tuple[str, str]]:
        feature, (low, high), (least, most) = self.feature, self.learned, self.allowed
        unit = f" {feature.unit}" if feature.unit else ""
        if self.widget == "number":
            if self.notation.sign == ",":
                yield (
                    "unread",
                    said("This is no number with a comma for decimals and nothing between thousands."),
                )
            else:
                yield (
                    "unread",
                    said("This is no number with a point for decimals and nothing between thousands."),
                )
        if isfinite(least):
            yield (
                "below",
                said("At least {low}{unit}, or it is refused.", low=self._short(least, 12), unit=unit),
            )
        if isfinite(most):
            yield (
                "above",
                said("At most {high}{unit}, or it is refused.", high=self._short(most, 12), unit=unit),
            )
        if isfinite(low) and isfinite(high) and not feature.choices and feature.kind != "text":
            yield (
                "outside",
                said(
                    "Outside {low} to {high}{unit}, the range this version learned from: "
                    "the answer may be less reliable.",
                    low=self._short(low),
                    high=self._short(high),
                    unit=unit,
                ),
            )
        if self.widget == "list" and feature.closed:
            yield "unlisted", said("This is not one of the values of the list, and is refused.")
        elif self.widget == "list":
            yield "unlisted", said("Not seen in training: the answer may be less reliable.")

    @property
    def foreseen(self) -> str:
        """What is to be said of the value that the field holds now."""
        value = self.value
        if self.widget == "list" and self.odd:
            return self.sentences["unlisted"]
        if self.widget != "number" or value is None:
            return ""
        if value < self.allowed[0] or value > self.allowed[1]:
            return self.sentences["below" if value < self.allowed[0] else "above"]
        return "" if self.learned[0] <= value <= self.learned[1] else self.sentences.get("outside", "")

    @property
    def band_ends(self) -> tuple[str, str]:
        """The ends of the learned range, or of the allowed one, as they are written under the band."""
        low, high = self.learned if isfinite(self.learned[1] - self.learned[0]) else self.allowed
        return self._short(low, 4), self._short(high, 4)

    def _short(self, value: float, digits: int = 6) -> str:
        return self.notation.write(float(f"{value:.{digits}g}"))
