"""What operators watch that is nobody's record: what waits, how far sealing is, what answers, what works."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import case, func, literal_column, or_, select

from webapp.db import Alias, Job, Leaf, Log, Model, ModelVersion, Submitted
from webapp.db.base import session
from webapp.db.registry import LIVE
from webapp.errors import AppError, NotReady
from webapp.services import registry
from webapp.services.clock import made_us, now_us
from webapp.services.desk import Desk
from webapp.services.jobs import presence


class Queued(NamedTuple):
    """Work that nobody has in hand, work that somebody has, and how long the oldest of the first has waited."""

    waiting: int
    running: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database knows, at one moment."""

    jobs: Queued
    submissions: Queued
    #: Entries not sealed yet, at most, and the age of the oldest in seconds; 0 where there is none.
    unsealed: int
    lag_seconds: float
    #: Why nothing more is sealed; empty: it is.
    trouble: str
    #: (model, version) of each that answers.
    live: list[tuple[str, str]]


class Place(NamedTuple):
    """The data folder: whether it can be written to, bytes of its disk, and how many job workers live."""

    writable: bool
    free: int
    size: int
    workers: int


def standing() -> Standing:
    """Four queries over indexes, none of which reads more of a larger record. Raises what the database raises."""
    current = session()
    current.rollback()
    try:
        now = now_us()
        jobs = _queued(Job, "jobs.state IN ('checking', 'running')", now)
        submissions = _queued(Submitted, "submissions.state IN ('waiting', 'inspecting')", now)
        oldest = (
            select(Leaf.record_id)
            .where(Leaf.seq > Log.last_seq)
            .order_by(Leaf.seq)
            .limit(1)
            .scalar_subquery()
        )
        newest = select(func.max(Leaf.seq)).scalar_subquery()
        sealed = current.execute(select(Log.last_seq, Log.trouble, newest, oldest)).one()
        live = select(Model.name, ModelVersion.number).select_from(Alias).join(Alias.version)
        rows = current.execute(live.join(ModelVersion.model).where(Alias.name == LIVE)).all()
    finally:
        current.rollback()
    last_seq, trouble, last, first = sealed
    lag_us = max(now - made_us(first), 0) if first else 0  # a clock may be set back
    return Standing(
        jobs,
        submissions,
        max((last or 0) - last_seq, 0),
        lag_us / 1e6,
        trouble,
        [(name, str(number)) for name, number in rows],
    )


def _queued(table: Any, active: str, now: int) -> Queued:
    # The states stand in the text, for only then are the indexes of open work used.
    idle = or_(table.lease_us.is_(None), table.lease_us <= now)
    waiting = case((idle, 1), else_=0)
    since = case((idle, table.moved_us))
    found = session().execute(
        select(func.count(), func.sum(waiting), func.min(since)).where(literal_column(active))
    )
    total, idle_ones, oldest_us = found.one()
    n = int(idle_ones or 0)
    return Queued(n, total - n, max(now - oldest_us, 0) / 1e6 if oldest_us else 0.0)


def place(desk: Desk) -> Place:
    """How it stands with the data folder."""
    folder = desk.workshop.folder.parent
    try:
        disk = os.statvfs(folder)
    except OSError:
        return Place(False, 0, 0, 0)
    workers = presence.living(desk.workshop.workers)
    return Place(_writable(folder), disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize, workers)


def check_ready(desk: Desk) -> None:
    """Raises NotReady, or what the database raises, unless questions can be answered.

    The database answers, the data folder can be written to, and at least one of the versions that are to answer is
    loaded or stored as it was published: a desk without one model is of more use than none.
    """
    desk.watch.numbers(fresh=True)
    if not _writable(desk.workshop.folder.parent):
        raise NotReady("DATA_DIR cannot be written to.")
    session().rollback()
    try:
        rows = session().scalars(
            select(ModelVersion).join(Alias, Alias.version_id == ModelVersion.id).where(Alias.name == LIVE)
        )
        versions = rows.all()
        if versions and not any(_answers(desk, row) for row in versions):
            raise NotReady("No version that is to answer is stored as it was published.")
    finally:
        session().rollback()


def _writable(folder: os.PathLike[str]) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _answers(desk: Desk, row: ModelVersion) -> bool:
    if desk.runtime.ready(row.model.name, row.number):
        return True
    try:
        registry.published(desk.store, row)
    except AppError:
        return False
    return True
