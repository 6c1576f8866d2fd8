"""Cells of a filter: those kept ready, and the records that came after, of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.db import Horizon, Model, ModelVersion, Prediction, Rollup, User
from webapp.db.base import snapshot
from webapp.db.rollups import ALL
from webapp.services.filters import Filters
from webapp.services.people import Actor
from webapp.services.rollups.cells import Cell, Counted, Kept, gather
from webapp.services.rollups.levels import cover, levels

#: Horizons: the last record that is counted, and the time from which minutes are kept.
COUNTED_TO, MINUTES_FROM = "rollups", "minutes"
#: Fewer new records than this are read one after the other, more by whatever index fits.
FEW = 50_000
#: Of no person, model or version: nothing is found.
NOBODY = -1


class Part(NamedTuple):
    """What one version answered through one channel, in a bucket from `start_us` or in a part of it."""

    start_us: int
    version_id: int
    channel: str
    cell: Cell | Kept


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose records, of which versions: what a filter says, looked up. `versions`: id -> (model, number)."""

    user_id: int
    versions: dict[int, tuple[str, int]]
    #: None: of any version.
    only: frozenset[int] | None
    channel: str | None


class Reader:
    """Reads cells of one filter; all its readings are of the moment at which it was made."""

    def __init__(self, actor: Actor, filters: Filters) -> None:
        self._session = snapshot()
        self.scope = _scope(self._session, actor, filters)
        goes = dict(self._session.execute(select(Horizon.name, Horizon.seq)).all())
        self.horizon: int = goes.get(COUNTED_TO, 0)
        self._minutes_from: int = goes.get(MINUTES_FROM, 0) if self.horizon else 0
        self.newest = self._session.scalar(select(func.max(Prediction.seq))) or 0

    def first_us(self) -> int | None:
        """When the first record of the filter's person was made, whatever version answered; None without one."""
        conditions = [] if self.scope.user_id == ALL else [Prediction.user_id == self.scope.user_id]
        return self._session.scalar(select(func.min(Prediction.created_us)).where(*conditions))

    def grain(self, since_us: int) -> int:
        """The shortest bucket, seconds, by which a time from `since_us` on can be told."""
        lengths = levels(self.scope.user_id)
        return lengths[0] if since_us >= self._minutes_from else lengths[1]

    def parts(self, since_us: int, until_us: int, longest: int) -> Iterator[Part]:
        """Cells from `since_us` to `until_us`, multiples of its grain; none longer than it or `longest` seconds."""
        if self.scope.user_id == NOBODY or self.scope.only == frozenset():
            return
        grain = self.grain(since_us)
        lengths = [n for n in levels(self.scope.user_id) if grain <= n <= max(grain, longest)]
        pieces = [self._kept(*piece) for piece in cover(since_us, until_us, lengths)]
        if self.horizon and pieces:
            query = union_all(*pieces) if len(pieces) > 1 else pieces[0]
            for start, version, channel, *counts in self._session.execute(query):
                yield Part(start, version, channel, Kept(*counts))
        if self.newest > self.horizon:
            for key, cell in gather(self._tail(since_us, until_us)).items():
                yield Part(key.start_us, key.version_id, key.channel, cell)

    def _kept(self, level: int, since_us: int, until_us: int) -> Select[*tuple[Any, ...]]:
        scope = self.scope
        conditions = [
            Rollup.level == level,
            Rollup.scope == scope.user_id,
            Rollup.start_us >= since_us,
            Rollup.start_us < until_us,
        ]
        if scope.only is not None:
            conditions.append(Rollup.version_id.in_(scope.only))
        if scope.channel is not None:
            conditions.append(Rollup.channel == scope.channel)
        return select(Rollup.start_us, Rollup.version_id, Rollup.channel, *KEPT).where(*conditions)

    def _tail(self, since_us: int, until_us: int) -> list[Counted]:
        scope = self.scope
        few = self.newest - self.horizon < FEW
        created, user = _unindexed(Prediction.created_us, few), _unindexed(Prediction.user_id, few)
        conditions = [Prediction.seq > self.horizon, created >= since_us, created < until_us]
        if scope.user_id != ALL:
            conditions.append(user == scope.user_id)
        if scope.only is not None:
            conditions.append(Prediction.version_id.in_(scope.only))
        if scope.channel is not None:
            conditions.append(Prediction.channel == scope.channel)
        rows = self._session.execute(select(*COUNTED).where(*conditions))
        return rows.all()  # type: ignore[return-value]


#: The columns of `cells.Counted`.
COUNTED = (
    Prediction.created_us,
    Prediction.user_id,
    Prediction.version_id,
    Prediction.channel,
    Prediction.label,
    Prediction.value,
    Prediction.score,
    Prediction.warned,
    Prediction.latency_us,
)
#: Those of `cells.Kept`.
KEPT = (
    Rollup.predictions,
    Rollup.warned,
    Rollup.labels,
    Rollup.latencies,
    Rollup.scores,
    Rollup.numbers,
)


def _unindexed(column: InstrumentedAttribute[int], wanted: bool) -> ColumnElement[int]:
    # SQLite would take an index on the column, and read all of its records, rather than the few that are new.
    return column + 0 if wanted else column.expression


def _scope(session: Session, actor: Actor, filters: Filters) -> Scope:
    rows = session.execute(
        select(ModelVersion.id, Model.name, ModelVersion.number).join(
            Model, Model.id == ModelVersion.model_id
        )
    )
    versions = {id: (name, number) for id, name, number in rows}
    only = None
    if filters.model is not None or filters.version is not None:
        only = frozenset(
            id
            for id, (name, number) in versions.items()
            if filters.model in (None, name) and filters.version in (None, number)
        )
    user = ALL if actor.sees_all else actor.id
    if filters.user is not None:
        named = session.scalar(select(User.id).where(User.username == filters.user))
        user = named if named is not None and user in (ALL, named) else NOBODY
    return Scope(user, versions, only, filters.channel)
