"""The schema: one definition of a valid row, used by form, JSON, tensors, coercion and checks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from webapp.errors import Problem
from webapp.ml.schema import documents
from webapp.ml.schema.checks import ABSENT, Found, Step, step, unknown
from webapp.ml.schema.features import Checked, Feature, Output, Scalar
from webapp.ml.schema.images import ImageSpec
from webapp.wording import said


@dataclass(frozen=True, slots=True)
class Schema:
    """The inputs, in the model's column order, and the output of one version."""

    features: tuple[Feature, ...]
    output: Output
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    #: hex SHA-256 of the canonical dict
    digest: str = field(init=False, repr=False, compare=False)
    _steps: tuple[Step, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        object.__setattr__(self, "names", tuple(feature.name for feature in self.features))
        object.__setattr__(self, "digest", hashlib.sha256(canonical.encode()).hexdigest())
        object.__setattr__(self, "_steps", tuple(step(feature) for feature in self.features))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The prepared check of each feature."""
        return self._steps

    @property
    def image(self) -> ImageSpec | None:
        """What an image has to become; None where the model looks at none. An image is the only feature."""
        return self.features[0].image

    def check(self, row: Mapping[str, object], pointer: str = "#/inputs") -> Checked:
        """All problems and warnings of one row; `values` in schema order, defaults filled in.

        Never raises for data. Problems point below `pointer`, names escaped as in RFC 6901.
        """
        if not isinstance(row, Mapping):
            problem = Problem(pointer, said("must be an object with one member for each feature"))
            return Checked((None,) * len(self.features), [problem], [], [])
        found = Found(pointer)
        values: list[Scalar] = []
        absent = 0
        get, append = row.get, values.append
        for name, low, high, judge in self._steps:
            value = get(name, ABSENT)
            if type(value) is float and low <= value <= high:
                append(value)
                continue
            if value is ABSENT:
                absent += 1
            append(judge(value, found))
        if len(row) + absent != len(values):
            unknown([name for name in row if name not in self.names], self.names, found)
        return Checked(tuple(values), found.problems, found.warnings, found.defaulted)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` gives an equal schema back."""
        return {
            "features": [documents.feature(feature) for feature in self.features],
            "output": documents.output(self.output),
        }

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Raises BadArtifact, with what to correct, on anything that is not a schema."""
        features, output = documents.read(data)
        schema = cls(features, output)
        documents.refuse_unusable(schema.features, schema.check(schema.example()).problems)
        return schema

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 of one row."""
        return documents.json_schema(self.features)

    def example(self) -> dict[str, Scalar]:
        """A row that passes the check: examples first, else typical training values."""
        return {feature.name: documents.example(feature) for feature in self.features}
