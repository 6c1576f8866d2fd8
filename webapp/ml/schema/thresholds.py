"""Which class is answered where classes have thresholds, and how thresholds are stored and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from webapp.errors import BadArtifact, meant, printable
from webapp.ml.schema.features import Output, Thresholds
from webapp.wording import said


class Applied(NamedTuple):
    """The threshold that settled an answer: of the class at `place`, reached or not."""

    place: int
    at_least: float
    reached: bool


class Rule:
    """A class is answered from its threshold on, whatever the others' probabilities.

    Of several that reach theirs, the one with the largest probability / threshold is answered (as Spark ML's
    `thresholds` have it), then the more probable, then the first. Where none does: the most probable of the classes
    without a threshold, or of all where each has one.
    """

    def __init__(self, thresholds: Thresholds) -> None:
        """`thresholds` has one entry a class, at least one of them a number."""
        self._limits = [(i, least) for i, least in enumerate(thresholds) if least is not None]
        everything = range(len(thresholds))
        self._others = [i for i in everything if thresholds[i] is None] or list(everything)

    def choose(self, shares: Sequence[float]) -> int:
        """The place of the class that is answered."""
        place, _, reached = self.applied(shares)
        return place if reached else max(self._others, key=shares.__getitem__)

    def applied(self, shares: Sequence[float]) -> Applied:
        """The threshold reached by the answered class; where none is, the one that was missed by least."""
        found, best = Applied(-1, 1.0, reached=False), (-1.0, -1.0)
        for place, least in self._limits:
            share = shares[place]
            reached, rank = share >= least, (share / least, share)
            if (reached, rank) > (found.reached, best):
                found, best = Applied(place, least, reached), rank
        return found


def stored(output: Output) -> dict[str, float]:
    """Class, as text → threshold, of those that have one."""
    pairs = zip(output.classes, output.thresholds, strict=False)
    return {str(choice.value): least for choice, least in pairs if least is not None}


def read(data: object, output: Output) -> Thresholds:
    """Raises BadArtifact, with what to correct, for thresholds that the output cannot be answered by."""
    where = "#/output/thresholds"
    if not isinstance(data, Mapping):
        raise BadArtifact(said("{where} must be an object.", where=where))
    if not data:
        return ()
    if output.kind != "classification" or not output.probabilities or len(output.classes) < 2:
        raise BadArtifact(
            said("{where}: only a classification of two classes or more, with probabilities, has thresholds.",
                 where=where)
        )  # fmt: skip
    names = [str(choice.value) for choice in output.classes]
    for name, least in data.items():
        if name not in names:
            raise BadArtifact(_no_class(where, str(name), names))
        if not usable(least):
            raise BadArtifact(
                said("{where} must be a probability: above 0, and 1 at most.", where=f"{where}/{name}")
            )
    return tuple(float(data[name]) if name in data else None for name in names)


def usable(least: Any) -> bool:
    """Whether a value is a probability from which a class may be answered."""
    number = isinstance(least, (int, float)) and not isinstance(least, bool)
    return number and isfinite(least) and 0 < least <= 1


def _no_class(where: str, name: str, names: Sequence[str]) -> str:
    return said(
        "{where} names “{name}”, which is no class of the model; it has {listed}{hint}",
        where=where,
        name=printable(name)[:60],
        listed=", ".join(names[:20]),
        hint=meant(name, names) or ".",
    )
