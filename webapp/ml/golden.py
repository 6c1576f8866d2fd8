"""The answers a version gave when it was published, which it has to give wherever it is loaded."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from webapp.errors import BadArtifact
from webapp.ml.runtime import Answer
from webapp.wording import said

#: As of conversion: another machine sums in another order.
TOLERANCE: Final = 1e-5


class Agreement(NamedTuple):
    """Of `rows` answered again, how many differ from what they were, and by how much at most."""

    rows: int
    differ: int
    largest: float


def golden(values: list[Any], probabilities: list[list[float]] | None) -> dict[str, Any]:
    """What the version's folder keeps of its answers to its own reference rows."""
    return {"values": values, "probabilities": probabilities}


def agreement(kept: Any, answer: Answer) -> Agreement:
    """How `answer` compares to what `golden` kept, row by row.

    Probabilities may be apart by 1e-5, numbers by a relative 1e-5; classes are compared where nothing else is known,
    for a class hangs on the last bit of a tie. Raises BadArtifact for what `golden` did not make.
    """
    try:
        values, shares = kept["values"], kept["probabilities"]
        if len(values) != len(answer.values):
            raise ValueError(len(values))
        if shares is not None and answer.probabilities is not None:
            off = np.abs(np.array(shares, float) - np.array(answer.probabilities, float)).max(
                axis=1, initial=0
            )
            return Agreement(len(values), int((off > TOLERANCE).sum()), float(off.max(initial=0)))
        if values and isinstance(values[0], float):
            was, now = np.array(values, float), np.array(answer.values, float)
            off = np.abs(was - now) / np.maximum(np.abs(was), 1e-4)
            return Agreement(len(values), int((off > TOLERANCE).sum()), float(off.max(initial=0)))
        differ = sum(a != b for a, b in zip(values, answer.values, strict=True))
        return Agreement(len(values), differ, float(bool(differ)))
    except (KeyError, TypeError, ValueError) as error:
        raise BadArtifact(
            said("The kept answers of the version are damaged; restore it from a backup.")
        ) from error
