"""Whether what answers is still stored as it was published: looked at every so often, for a process that has loaded a
version does not read its files again, and one that starts finds the damage too late."""

from __future__ import annotations

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.db import Alias, Event, ModelVersion
from webapp.db.base import session, transaction
from webapp.db.changes import wait_for_writers
from webapp.errors import BadArtifact, NotReady
from webapp.ml.store import MANIFEST, Store
from webapp.services import audit, registry

DAMAGED, MENDED = "version-damaged", "version-mended"
Version = tuple[str, int]


def look(store: Store) -> None:
    """Put on the record which versions that an alias leads to are damaged by now, and which are whole again.

    Raises BadArtifact as long as any is damaged, so that the log keeps saying so.
    """
    session().rollback()
    query = select(ModelVersion).join(Alias, Alias.version_id == ModelVersion.id).distinct()
    found = {(row.model.name, row.number): _manifest(store, row) for row in session().scalars(query).all()}
    session().rollback()  # large files take a while, and need no connection
    found = {version: file or store.damaged(*version) for version, file in found.items()}
    before = _told(session())
    session().rollback()
    if any(bool(file) != (version in before) for version, file in found.items()):
        _tell(found)
    if damaged := [f"{file} of {name} {number}" for (name, number), file in found.items() if file]:
        raise BadArtifact(f"Not stored as published: {', '.join(damaged)}; restore from a backup.")


def _manifest(store: Store, row: ModelVersion) -> str:
    try:
        registry.published(store, row)
    except NotReady:
        return MANIFEST
    return ""


def _tell(found: dict[Version, str]) -> None:
    with transaction() as s:
        wait_for_writers(s)  # several workers look, and one of them tells
        before = _told(s)
        for version, file in found.items():
            if bool(file) != (version in before):
                facts = {"model": version[0], "version": version[1], **({"file": file} if file else {})}
                audit.append(s, DAMAGED if file else MENDED, None, facts)


def _told(s: Session) -> set[Version]:
    """The versions of which the last that was said is that they are damaged."""
    query = select(Event.kind, Event.facts).where(Event.kind.in_((DAMAGED, MENDED))).order_by(Event.seq)
    damaged: set[Version] = set()
    for kind, text in s.execute(query):
        facts = orjson.loads(text or "{}")
        version = facts.get("model", ""), facts.get("version", 0)
        (damaged.add if kind == DAMAGED else damaged.discard)(version)
    return damaged
