"""Synthetic rows that show where two engines part."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from webapp.ml.layout import Rows
from webapp.ml.schema import Feature, ImageSpec, Learned, Scalar, Schema
from webapp.ml.schema.images import grey, png

ODD_TEXTS: Final = (
    "", " ", "nan", "None", "0", "unseen-value", "UPPER lower\tTab\nLine", "ÉCOLE naïve ß",
    "it's 5 o'clock, isn't it?", "a_b-c.d 1,234.5e-3", "日本語 テキスト", "🙂",
)  # fmt: skip
RANDOM_ROWS: Final = 300
_BETWEEN: Final = 40  # per feature
_NOISY: Final = 4096  # numbers of an image beyond which hundreds of random ones take too long to write


def probes(schema: Schema, reference: Rows) -> list[tuple[Scalar, ...]]:
    """Missing, unknown, odd, extreme, in-between and random values, in rows that the schema accepts.

    Always the same for the same arguments.
    """
    chance = random.Random(20260101)  # noqa: S311 — test rows, not secrets
    base = list(reference) or [schema.check(schema.example()).values]
    rows = []
    for i, feature in enumerate(schema.features):
        for value in [*_special(feature), *_between([row[i] for row in base], chance)]:
            row = list(base[chance.randrange(len(base))])
            row[i] = value
            rows.append(row)
    features = list(enumerate(schema.features))
    rows += [[_random(feature, base, i, chance) for i, feature in features] for _ in range(RANDOM_ROWS)]
    checked = [schema.check(dict(zip(schema.names, row, strict=True))) for row in rows]
    return [row.values for row in checked if not row.problems]


def _special(feature: Feature) -> Iterator[Scalar]:
    if feature.nullable:
        yield None
    if feature.kind == "boolean":
        yield from (True, False)
    elif feature.kind in ("number", "integer"):
        yield from _ends(feature)
    elif feature.image:
        yield from (grey(feature.image, level) for level in (0, 1, 128, 254, 255))
        # Of another size: it is brought to the model's.
        yield grey(ImageSpec(feature.image.width * 2 + 1, 5, feature.image.channels), 200)
    else:
        yield from ODD_TEXTS
        yield from (choice.value for choice in feature.choices)


def _ends(feature: Feature) -> Iterator[Scalar]:
    learned = feature.learned or Learned()
    low, high = learned.minimum or 0.0, learned.maximum or 0.0
    span = (high - low) or 1.0
    ends = [low, high, low - span / 10, high + span / 10, low - 10 * span, high + 10 * span, 0.0]
    ends += [end for end in (feature.minimum, feature.maximum) if end is not None]
    yield from (float(end) if feature.kind == "number" else round(end) for end in ends)


def _between(seen: list[Scalar], chance: random.Random) -> Iterator[Scalar]:
    """Midpoints of neighbouring values: where trees put their thresholds."""
    numbers = sorted({v for v in seen if isinstance(v, float)})
    pairs = list(pairwise(numbers))
    for low, high in chance.sample(pairs, min(_BETWEEN, len(pairs))):
        yield float(f"{(low + high) / 2:.12g}")


def _random(feature: Feature, base: Rows, i: int, chance: random.Random) -> Scalar:
    if feature.nullable and chance.random() < 0.1:
        return None
    learned = feature.learned or Learned()
    low, high = learned.minimum, learned.maximum
    if feature.kind == "number" and low is not None and high is not None:
        return chance.uniform(low, high)
    if feature.kind == "integer" and low is not None and high is not None:
        return chance.randint(round(low), round(high))
    if feature.image and feature.image.size <= _NOISY:
        return png(feature.image, chance.randbytes(feature.image.size))
    return base[chance.randrange(len(base))][i]
