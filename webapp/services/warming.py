"""Loading beforehand what will be asked: a version that an alias leads to since the last look."""

from __future__ import annotations

from sqlalchemy import select

from webapp.db import Alias, Model, ModelVersion
from webapp.db.base import session
from webapp.db.changes import REGISTRY
from webapp.errors import AppError
from webapp.services import registry
from webapp.services.desk import Desk

#: Versions that a process keeps loaded although no alias leads to them.
SPARE = 16


class Warming:
    """Follows the registry, so that nobody waits for the file of a version that was just promoted."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._number: int | None = None

    def look(self) -> list[str]:
        """Load what aliases lead to by now, if anything has changed since the last look; returns what failed.

        The first look loads nothing: what a process starts with is loaded when it is asked for.
        """
        number = self._desk.watch.numbers(fresh=True)[REGISTRY]
        before, self._number = self._number, number
        return [] if before in (None, number) else self._load()

    def _load(self) -> list[str]:
        session().rollback()
        rows = session().scalars(
            select(ModelVersion).join(Alias, Alias.version_id == ModelVersion.id).join(Model).distinct()
        )
        failed, wanted = [], set()
        for row in rows.all():
            name, number = row.model.name, row.number
            try:
                registry.published(self._desk.store, row)
            except AppError as error:
                failed.append(error.detail)
                continue
            wanted.add((name, number))
        session().rollback()
        for name, number in sorted(wanted):
            try:
                self._desk.offload(self._desk.runtime.get, name, number)
            except AppError as error:  # whoever asks for it is told; the others must not wait for that
                failed.append(error.detail)
        self._desk.runtime.retain(wanted, SPARE)
        return failed
