"""The model card of a version: what its publisher says, what was measured, and where it came from.

After Mitchell et al., Model Cards for Model Reporting (2019).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from webapp.errors import BadArtifact, NotFound
from webapp.ml.intervals import few
from webapp.ml.store import Store
from webapp.services import registry
from webapp.services.people import Actor
from webapp.services.registry import ModelDetail


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A version as its card tells it."""

    detail: ModelDetail
    #: What the training sample looked like, as `ml.profile` wrote it; empty where the file is lost or damaged.
    profile: dict[str, Any]

    @property
    def bytes(self) -> int:
        """Of all files of the version."""
        return sum(file.get("bytes", 0) for file in self.detail.manifest["files"].values())

    @property
    def software(self) -> dict[str, str]:
        """Python and libraries that it was published with, and their versions."""
        manifest = self.detail.manifest
        python = {"Python": manifest["python"]} if manifest.get("python") else {}
        return python | (manifest.get("libraries") or {})

    @property
    def balance(self) -> list[tuple[str, int, float]]:
        """Class, rows and share of the training sample, in the order of the model; empty where not known."""
        counts = self.profile.get("target", {}).get("counts")
        if not isinstance(
            counts, dict
        ):  # not known of versions from before it was kept; or a list: of a regression
            return []
        rows = [(c.label, counts.get(str(c.value), 0)) for c in self.detail.schema.output.classes]
        return [(label, n, n / (sum(counts.values()) or 1)) for label, n in rows]

    @property
    def few(self) -> list[str]:
        """Labels of the classes of which too few rows were scored to say much."""
        return few_classes(self.detail)


def read(store: Store, name: str, version: str | None, *, actor: Actor | None) -> ModelCard:
    """The card of a version, or of the live one; raises as `registry.describe` does."""
    detail = registry.describe(store, name, version, actor=actor)
    return ModelCard(detail, _profile(store, name, int(detail.version)))


def few_classes(detail: ModelDetail) -> list[str]:
    """Labels of the classes of which too few rows were scored to say much."""
    support = (detail.manifest.get("metrics") or {}).get("support") or {}
    scarce = set(few(support))
    return [c.label for c in detail.schema.output.classes if str(c.value) in scarce]


def _profile(store: Store, name: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(store.read(name, number, "reference.json"))
    except (BadArtifact, NotFound, ValueError):
        return {}  # the card tells the rest
    return found if isinstance(found, dict) else {}
