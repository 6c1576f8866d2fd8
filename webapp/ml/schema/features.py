"""What one feature and one output are: the words every other part of a schema is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from webapp.errors import Problem
from webapp.ml.schema.images import ImageSpec

Scalar = float | int | bool | str | None
Kind = Literal["number", "integer", "category", "boolean", "text", "image"]
#: One entry a class, None for a class without a threshold; empty where no class has one.
Thresholds = tuple[float | None, ...]
WarningKind = Literal["outside_range", "unseen_category", "missing"]


class Choice(NamedTuple):
    """A value the model knows, and the words people read for it."""

    value: float | int | bool | str
    label: str


@dataclass(frozen=True, slots=True)
class Learned:
    """What the training sample held: range, quantiles as (probability, value), share missing (0..1).

    Of texts it is their length in characters, of images their brightness, 0 to 1.
    """

    minimum: float | None = None
    maximum: float | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    missing: float = 0.0

    def quantile(self, probability: float) -> float | None:
        return dict(self.quantiles).get(probability)


@dataclass(frozen=True, slots=True)
class Feature:
    """One input. Outside `minimum`..`maximum` is an error; outside what was `learned` is only a warning."""

    name: str
    kind: Kind
    label: str
    description: str = ""
    unit: str | None = None
    nullable: bool = False
    default: Scalar = None
    example: Scalar = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Choice, ...] = ()
    #: True: a value that is not among the choices is an error, not a warning
    closed: bool = False
    learned: Learned | None = None
    #: characters, for text and for category strings
    max_length: int = 1000
    #: the heading under which a form shows it, beside others of the same group
    group: str | None = None
    #: for images: what the model wants them as
    image: ImageSpec | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What the model answers with; `classes` are in the order of its probabilities, or scores.

    A ranking scores each of its classes, the items, and answers with the first `top` of them in order.
    """

    kind: Literal["classification", "regression", "ranking"]
    target: str
    label: str
    classes: tuple[Choice, ...] = ()
    unit: str | None = None
    probabilities: bool = False
    #: for rankings
    top: int | None = None
    #: the probability from which on a class is answered, though another may be more probable
    thresholds: Thresholds = ()

    @property
    def scored(self) -> bool:
        """Whether the model says a number of every class: a probability, or for a ranking any score."""
        return self.probabilities or self.kind == "ranking"

    def ranked(self, scores: Sequence[float]) -> list[int]:
        """Places in `classes` of the first `top` items; of equal scores the earlier item comes first."""
        return sorted(range(len(scores)), key=lambda i: -scores[i])[: self.top]

    def class_label(self, value: Scalar) -> str:
        """The words for a class value; the value itself when it has none."""
        return next((c.label for c in self.classes if c.value == value), str(value))


class Warning(NamedTuple):
    """Something the model can answer to, but has not been shown in training."""

    feature: str
    kind: WarningKind
    detail: str


@dataclass(slots=True)
class Checked:
    """One row after the check; `values` are usable only while `problems` is empty."""

    values: tuple[Scalar, ...]
    problems: list[Problem]
    warnings: list[Warning]
    #: features that were left out and took their default
    defaulted: list[str]
