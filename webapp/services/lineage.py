"""Where an answer comes from: its version's files, data and code, and who let that version answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webapp.ml.store import Store
from webapp.services import history, registry, releases
from webapp.services.people import Actor
from webapp.services.releases import Release

#: Members of the manifest: what was handed in to be published, as digests.
HANDED_IN = ("source_sha256", "data_sha256", "test_sha256")


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that led to one answer; times are microseconds UTC, digests SHA-256 in hex."""

    record: str
    model: str
    version: str
    artifact: str
    schema: str
    manifest: str
    #: HANDED_IN → digest, None where it was not handed in or is not known.
    handed_in: dict[str, str | None]
    #: As its publisher says.
    training_code: str
    #: Python and the libraries it was published with → version.
    software: dict[str, str]
    published_us: int
    #: None: the operator.
    published_by: str | None
    #: The release by which it answered then; None where it was asked for by name, or by a comparison.
    release: Release | None


def of(store: Store, actor: Actor, record_id: str) -> Lineage:
    """Raises NotFound, and NotReady for a version that is not stored as it was published."""
    record = history.get(actor, record_id)
    version = registry.describe(store, record.model, record.version, actor=None)  # the record is theirs
    manifest = version.manifest
    python = {"python": manifest["python"]} if manifest.get("python") else {}
    return Lineage(
        record=record.id,
        model=record.model,
        version=record.version,
        artifact=record.digest,
        schema=record.schema_hash,
        manifest=version.manifest_hash,
        handed_in={word: _text(manifest.get(word)) for word in HANDED_IN},
        training_code=(manifest.get("card") or {}).get("training_code", ""),
        software=python | (manifest.get("libraries") or {}),
        published_us=version.created_us,
        published_by=version.published_by,
        release=_release(record.model, record.version, record.finished_us),
    )


def _release(model: str, version: str, at_us: int) -> Release | None:
    """The release that made this version answer at a time."""
    for release in releases.history(model, actor=None):
        if release.at_us <= at_us:
            return release if release.version == version else None
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
