"""One version in full, and two beside each other, in their public JSON form."""

from __future__ import annotations

from typing import Any

from webapp.api import presenters
from webapp.services.comparing import Comparison, Measure, SideBySide
from webapp.services.model_cards import ModelCard

#: Members of the manifest that say where a version comes from; null where it was published without.
LINEAGE = ("source_sha256", "filename", "data_sha256", "test_sha256")


def version(card: ModelCard) -> dict[str, Any]:
    """A version in full: what its card tells, for programs."""
    detail, manifest = card.detail, card.detail.manifest
    return presenters.model(detail) | {
        "live": detail.version == detail.live,
        "format": manifest.get("format"),
        "bytes": card.bytes,
        "n_rows": manifest.get("n_rows"),
        "profile": {"target": card.profile.get("target"), "features": card.profile.get("features")},
        "python": manifest.get("python"),
        "libraries": manifest.get("libraries"),
        "lineage": {key: manifest.get(key) for key in LINEAGE},
        "schema_sha256": manifest.get("schema_hash"),
        "manifest_sha256": detail.manifest_hash,
        "published_by": detail.published_by,
        "few": card.few,
    }


def comparison(found: Comparison) -> dict[str, Any]:
    """What changed from one version to another, each difference as {"from", "to"}."""
    return {
        "from": found.before.detail.version,
        "to": found.after.detail.version,
        "schema": [
            {"feature": c.feature, "member": c.member, "from": c.before, "to": c.after} for c in found.changes
        ],
        "metrics": {m.name: _measure(m) for m in found.measures},
        "same_rows": found.same_rows,
        "card": {pair.name: {"from": pair.before, "to": pair.after} for pair in found.texts},
        "software": {pair.name: {"from": pair.before, "to": pair.after} for pair in found.software},
        "engines": {"from": _served(found.before), "to": _served(found.after)},
        "predictions": None if found.answers is None else _answers(found.answers, found.rows_of),
        "reason": found.reason or None,
    }


def _measure(of: Measure) -> dict[str, Any]:
    return {
        "from": of.before,
        "to": of.after,
        "from_interval": of.before_interval,
        "to_interval": of.after_interval,
    }


def _served(card: ModelCard) -> dict[str, Any]:
    return {**(card.detail.manifest.get("engines") or {}), "bytes": card.bytes}


def _answers(of: SideBySide, rows_of: str) -> dict[str, Any]:
    return {
        "rows_of": rows_of,
        "rows": of.rows,
        "left_out": of.left_out,
        "why_left_out": of.why_left_out or None,
        "without": of.without,
        "alike": of.alike,
        "alike_interval": of.interval,
        "within": of.within,
        "mean_gap": of.mean_gap,
        "largest_gap": of.largest_gap,
        "labels": of.labels,
        "changes": of.changes,
        "furthest": [
            {"row": a.row, "inputs": a.inputs or None, "from": a.before, "to": a.after, "gap": a.gap}
            for a in of.most
        ],
    }
