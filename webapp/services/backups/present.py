"""What is in an installation before a backup takes its place; it may be nothing, or damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from webapp.db import Checkpoint, Leaf, Log, Prediction
from webapp.db.base import session
from webapp.services import sealing
from webapp.services.backups import postgres
from webapp.services.backups.manifest import Manifest
from webapp.services.backups.place import Installation


@dataclass(frozen=True, slots=True)
class Present:
    """`newest_us` is when the newest record was made; `trouble` why the database cannot be read."""

    there: bool = False
    origin: str = ""
    entries: int = 0
    predictions: int = 0
    newest_us: int | None = None
    trouble: str = ""
    #: How many entries are here and not in the backup; None: it is not known.
    lost: int | None = 0


def look(place: Installation, manifest: Manifest, root: bytes) -> Present:
    """What is there now, seen from a backup; never raises."""
    if place.kind == "sqlite" and not place.file.exists():
        return Present()
    try:
        if place.kind == "postgresql" and not postgres.ours(session().connection()):
            return Present()
        return _look(manifest, root)
    except (SQLAlchemyError, LookupError, ValueError) as error:
        why: Any = getattr(error, "orig", None) or error
        return Present(there=True, trouble=(str(why).splitlines() or [""])[0][:200], lost=None)
    finally:
        session().rollback()


def _look(manifest: Manifest, root: bytes) -> Present:
    current = session()
    origin = current.scalars(select(Log.origin)).one()
    entries = current.scalar(select(func.count()).select_from(Leaf)) or 0
    return Present(
        True,
        origin,
        entries,
        current.scalar(select(func.count()).select_from(Prediction)) or 0,
        current.scalar(select(func.max(Prediction.created_us))),
        lost=_lost(origin, entries, manifest, root),
    )


def _lost(origin: str, entries: int, manifest: Manifest, root: bytes) -> int | None:
    if sealing.key_name(origin) != sealing.key_name(manifest.origin):
        return entries  # another log altogether
    size = session().scalar(select(func.max(Checkpoint.size))) or 0
    if manifest.size <= size and manifest.size and sealing.prover().root(manifest.size) == root:
        return max(entries - manifest.entries, 0)
    return None
