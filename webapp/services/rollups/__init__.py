"""The record counted beforehand: buckets of time by person, version and channel, brought up to date as it grows.

Whoever reads adds the records that came after, so that figures are right at every moment, and quick as long as
`refresh` runs now and then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import Session

from webapp.db import Prediction, Rollup
from webapp.db.base import session, snapshot, transaction
from webapp.db.changes import wait_for_writers
from webapp.db.rollups import ALL
from webapp.services.clock import now_us
from webapp.services.horizons import advance, horizon, insert
from webapp.services.rollups.cells import Cell, Kept, Key, gather
from webapp.services.rollups.levels import HOUR, MINUTE, MINUTES_KEPT_US, OF_ALL, OF_ONE, SECOND
from webapp.services.rollups.reading import COUNTED, COUNTED_TO, KEPT, MINUTES_FROM

#: Records taken in with one write transaction, at most.
CHUNK = 2_000
#: Rows written with one, about: it lasts some milliseconds, and predictions wait for it.
WRITTEN = 400
#: Keys looked up with one query.
LOOKED_UP = 400
_KEY = ("level", "scope", "start_us", "version_id", "channel")
_COLUMNS = [getattr(Rollup, name) for name in _KEY]

Place = tuple[int, int, int, int, str]


def refresh(now: int | None = None, *, seconds: float = math.inf) -> int:
    """Take in the records that are there now, for so long at most; returns how many. `now` is microseconds UTC.

    Two that run at once do no harm: the one that comes second to a chunk stops.
    """
    give_up = time.monotonic() + seconds
    if not behind():
        return 0
    _forget_minutes((now_us() if now is None else now) - MINUTES_KEPT_US)
    last, taken, most = _last_seq(), 0, CHUNK
    while last and time.monotonic() < give_up:
        records, rows = _take(last, most)
        if not records:
            break
        taken += records
        most = min(max(records * WRITTEN // rows, 1), CHUNK)
    return taken


def behind() -> int:
    """How many record numbers have not been taken in yet."""
    newest = session().scalar(select(func.max(Prediction.seq))) or 0
    return int(newest) - horizon(session(), COUNTED_TO)


def _last_seq() -> int:
    """The newest record before which none can appear any more."""
    current = session()
    current.rollback()
    wait_for_writers(current)
    last = current.scalar(select(func.max(Prediction.seq))) or 0
    current.rollback()
    return int(last)


def _take(last: int, most: int) -> tuple[int, int]:
    """Count up to `most` records; returns how many, and in how many rows."""
    current = snapshot()
    start, minutes_from = horizon(current, COUNTED_TO), horizon(current, MINUTES_FROM)
    rows = current.execute(
        select(Prediction.seq, *COUNTED)
        .where(Prediction.seq > start, Prediction.seq <= last)
        .order_by(Prediction.seq)
        .limit(most)
    ).all()
    if not rows:
        current.rollback()
        return 0, 0
    cells = _roll_up(gather(row[1:] for row in rows), minutes_from)
    _add_known(current, cells)
    values = [dict(zip(_KEY, place, strict=True)) | cell.columns() for place, cell in cells.items()]
    with transaction() as s:
        if not advance(s, COUNTED_TO, start, rows[-1][0]):
            return 0, 0
        if values:
            s.connection().execute(_upsert(s), values)
    return len(rows), len(values)


def _forget_minutes(before_us: int) -> None:
    """Let go of the minutes of hours that are long over, once they are not asked for any more."""
    until = before_us // (HOUR * SECOND) * (HOUR * SECOND)
    start = horizon(session(), MINUTES_FROM)
    if until <= start:
        return
    with transaction() as s:
        if not advance(s, MINUTES_FROM, start, until):
            return
    old = (Rollup.level == MINUTE, Rollup.start_us < until)
    for scope in session().scalars(select(Rollup.scope).where(*old).distinct()).all():
        with transaction() as s:
            s.execute(delete(Rollup).where(*old, Rollup.scope == scope))


def _roll_up(minutes: Mapping[Key, Cell], minutes_from: int) -> dict[Place, Cell]:
    """Cells of every level, of everybody and of each person, out of those of minutes."""
    found: dict[Place, Cell] = {}
    everybody: dict[Key, Cell] = {}
    for key, cell in minutes.items():
        everybody.setdefault(key._replace(user_id=ALL), Cell()).add(cell)
    for cells, lengths in ((everybody, OF_ALL), (minutes, OF_ONE)):
        for length in lengths:
            if length > MINUTE:
                cells = _wider(cells, length * SECOND)
            for key, cell in cells.items():
                if length > MINUTE or key.start_us >= minutes_from:
                    found[length, key.user_id, key.start_us, key.version_id, key.channel] = cell
    return found


def _wider(cells: Mapping[Key, Cell], size_us: int) -> dict[Key, Cell]:
    wider: dict[Key, Cell] = {}
    for key, cell in cells.items():
        start = key.start_us - key.start_us % size_us
        wider.setdefault(key._replace(start_us=start), Cell()).add(cell)
    return wider


def _add_known(current: Session, cells: Mapping[Place, Cell]) -> None:
    """Add what is stored in the same places."""
    places = list(cells)
    for i in range(0, len(places), LOOKED_UP):
        wanted = select(*_COLUMNS, *KEPT).where(tuple_(*_COLUMNS).in_(places[i : i + LOOKED_UP]))
        for row in current.execute(wanted):
            cells[tuple(row[: len(_KEY)])].add(Kept(*row[len(_KEY) :]))


def _upsert(s: Session) -> Any:
    statement = insert(s)(Rollup)
    counted = [c.name for c in Rollup.__table__.columns if c.name not in _KEY]
    return statement.on_conflict_do_update(
        index_elements=_KEY, set_={name: statement.excluded[name] for name in counted}
    )
