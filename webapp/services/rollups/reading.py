"""Cells of a filter: those kept ready, and the records that came after, of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.db import Horizon, Model, ModelVersion, Prediction, Rollup, User
from webapp.db.base import snapshot
from webapp.db.rollups import ALL
from webapp.services.filters import END_US, Filters
from webapp.services.people import Actor
from webapp.services.rollups.cells import MINUTE_US, Cell, Counted, gather, read_cell

NAME = "rollups"
SECOND = 1_000_000
#: Lengths of buckets, seconds, each a multiple of the one before.
LEVELS = (60, 900, 3600, 4 * 3600, 86_400, 7 * 86_400)
#: Fewer new records than this are read one after the other, more by whatever index fits.
FEW = 50_000
#: Of no person, model or version: nothing is found.
NOBODY = -1


class Part(NamedTuple):
    """What one version answered through one channel, in a bucket from `start_us` or in a part of it."""

    start_us: int
    version_id: int
    channel: str
    cell: Cell


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
        horizon = select(Horizon.seq).where(Horizon.name == NAME).scalar_subquery()
        newest = select(func.max(Prediction.seq)).scalar_subquery()
        row = self._session.execute(select(func.coalesce(horizon, 0), func.coalesce(newest, 0))).one()
        self.horizon, self.newest = int(row[0]), int(row[1])

    def first_us(self) -> int | None:
        """When the first record of the filter's person was made, whatever version answered; None without one."""
        conditions = [] if self.scope.user_id == ALL else [Prediction.user_id == self.scope.user_id]
        return self._session.scalar(select(func.min(Prediction.created_us)).where(*conditions))

    def parts(self, since_us: int, until_us: int, longest: int) -> Iterator[Part]:
        """Cells of the time from `since_us` up to `until_us`, whole minutes, none longer than `longest` seconds."""
        if self.scope.user_id == NOBODY or self.scope.only == frozenset():
            return
        pieces = [self._kept(*piece) for piece in cover(since_us, until_us, longest)]
        if self.horizon and pieces:
            query = union_all(*pieces) if len(pieces) > 1 else pieces[0]
            for start, version, channel, *counts in self._session.execute(query):
                yield Part(start, version, channel, read_cell(*counts))
        if self.newest > self.horizon:
            for key, cell in gather(self._tail(since_us, until_us)).items():
                yield Part(key.start_us, key.version_id, key.channel, cell)

    def _kept(self, level: int, since_us: int, until_us: int) -> Select[*tuple[Any, ...]]:
        scope, user = self.scope, self.scope.user_id
        conditions = [
            Rollup.level == level,
            Rollup.scope == (ALL if level == LEVELS[0] else user),
            Rollup.start_us >= since_us,
            Rollup.start_us < until_us,
        ]
        if level == LEVELS[0] and user != ALL:
            conditions.append(Rollup.user_id == user)
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
#: Those of `cells.read_cell`.
KEPT = (
    Rollup.predictions,
    Rollup.warned,
    Rollup.labels,
    Rollup.latencies,
    Rollup.scores,
    Rollup.numbers,
)


def cover(since_us: int, until_us: int, longest: int) -> list[tuple[int, int, int]]:
    """Cut a time of whole minutes into as few buckets as the levels allow: (level, from, up to) of neighbours."""
    pieces = []
    levels = [level for level in LEVELS if level <= longest]
    for level, next_level in pairwise(levels):
        size = next_level * SECOND
        up = min(-(-since_us // size) * size, until_us)
        down = max(until_us // size * size, up)
        pieces += [(level, since_us, up), (level, down, until_us)]
        since_us, until_us = up, down
    pieces.append((levels[-1], since_us, until_us))
    return [piece for piece in pieces if piece[1] < piece[2]]


def whole_minutes(since_us: int | None, until_us: int | None) -> bool:
    """Whether a time can be told from cells alone."""
    return all(us is None or us % MINUTE_US == 0 for us in (since_us, until_us))


def limits(filters: Filters) -> tuple[int, int]:
    """The time of a filter, for all times where it says none; the end is that of a longest bucket."""
    longest = LEVELS[-1] * SECOND
    end = -(-END_US // longest) * longest
    return filters.since_us or 0, end if filters.until_us is None else filters.until_us


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
