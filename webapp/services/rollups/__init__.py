"""The record counted beforehand: buckets of time by person, version and channel, brought up to date as it grows.

Whoever reads adds the records that came after, so that figures are right at every moment, and quick as long as
`refresh` runs now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from webapp.db import Horizon, Prediction, Rollup
from webapp.db.base import session, snapshot, transaction
from webapp.db.changes import wait_for_writers
from webapp.db.rollups import ALL
from webapp.services.filters import Filters
from webapp.services.people import Actor
from webapp.services.rollups.cells import Cell, Key, add_labels, gather, read_cell
from webapp.services.rollups.reading import (
    COUNTED,
    KEPT,
    LEVELS,
    NAME,
    SECOND,
    Reader,
    limits,
    whole_minutes,
)

#: Records taken in with one write transaction: it lasts some milliseconds, and predictions wait for it.
CHUNK = 2_000
#: Keys looked up with one query.
LOOKED_UP = 400
_KEY = ("level", "scope", "start_us", "user_id", "version_id", "channel")
_COLUMNS = [getattr(Rollup, name) for name in _KEY]

Place = tuple[int, int, int, int, int, str]


class Sums(NamedTuple):
    """Exact totals; labels are most frequent first."""

    records: int
    warned: int
    labels: dict[str, int]


def count(actor: Actor, filters: Filters) -> Sums | None:
    """Totals of a filter at the cost of its buckets; None where they cannot tell.

    They know model, version, label, user, channel and times of whole minutes.
    """
    if (
        filters.q
        or filters.job
        or filters.subject is not None
        or not whole_minutes(filters.since_us, filters.until_us)
    ):
        return None
    records = warned = 0
    labels: dict[str, list[int]] = {}
    for part in Reader(actor, filters).parts(*limits(filters), LEVELS[-1]):
        records += part.cell.predictions
        warned += part.cell.warned
        add_labels(labels, part.cell.labels)
    if filters.label is not None:
        labels = {filters.label: labels[filters.label]} if filters.label in labels else {}
        records, warned = (sum(counts[i] for counts in labels.values()) for i in (0, 1))
    ordered = sorted(labels.items(), key=lambda item: (-item[1][0], item[0]))
    return Sums(records, warned, {label: n for label, (n, _) in ordered})


def refresh() -> int:
    """Take in the records that are there now, CHUNK by CHUNK; returns how many.

    Two that run at once do no harm: the one that comes second to a chunk stops.
    """
    last, taken = _last_seq(), 0
    while now := _take(last):
        taken += now
    return taken


def behind() -> int:
    """How many record numbers have not been taken in yet."""
    newest = session().scalar(select(func.max(Prediction.seq))) or 0
    return int(newest) - _horizon(session())


def _last_seq() -> int:
    """The newest record before which none can appear any more."""
    current = session()
    current.rollback()
    wait_for_writers(current)
    last = current.scalar(select(func.max(Prediction.seq))) or 0
    current.rollback()
    return int(last)


def _horizon(current: Session) -> int:
    return current.scalar(select(Horizon.seq).where(Horizon.name == NAME)) or 0


def _take(last: int) -> int:
    current = snapshot()
    start = _horizon(current)
    rows = current.execute(
        select(Prediction.seq, *COUNTED)
        .where(Prediction.seq > start, Prediction.seq <= last)
        .order_by(Prediction.seq)
        .limit(CHUNK)
    ).all()
    if not rows:
        current.rollback()
        return 0
    cells = _roll_up(gather(row[1:] for row in rows))
    _add_known(current, cells)
    values = [dict(zip(_KEY, place, strict=True)) | cell.columns() for place, cell in cells.items()]
    with transaction() as s:
        if not _advance(s, start, rows[-1][0]):
            return 0
        s.connection().execute(_upsert(s), values)
    return len(rows)


def _advance(s: Session, start: int, end: int) -> bool:
    """Move the horizon; false where somebody else has."""
    moved = update(Horizon).where(Horizon.name == NAME, Horizon.seq == start).values(seq=end)
    if s.connection().execute(moved).rowcount:
        return True
    if start:
        return False
    first = _insert(s)(Horizon).values(name=NAME, seq=end).on_conflict_do_nothing()
    return s.connection().execute(first.returning(Horizon.seq)).first() is not None


def _roll_up(minutes: Mapping[Key, Cell]) -> dict[Place, Cell]:
    """Cells of every level out of those of minutes."""
    found: dict[Place, Cell] = {(LEVELS[0], ALL, *key): cell for key, cell in minutes.items()}
    below = dict(minutes)
    for key, cell in minutes.items():
        below.setdefault(key._replace(user_id=ALL), Cell()).add(cell)
    for level in LEVELS[1:]:
        size = level * SECOND
        above: dict[Key, Cell] = {}
        for key, cell in below.items():
            wider = Key(key.start_us // size * size, *key[1:])
            above.setdefault(wider, Cell()).add(cell)
        found |= {(level, key.user_id, *key): cell for key, cell in above.items()}
        below = above
    return found


def _add_known(current: Session, cells: Mapping[Place, Cell]) -> None:
    """Add what is stored in the same places."""
    places = list(cells)
    for i in range(0, len(places), LOOKED_UP):
        wanted = select(*_COLUMNS, *KEPT).where(tuple_(*_COLUMNS).in_(places[i : i + LOOKED_UP]))
        for row in current.execute(wanted):
            cells[tuple(row[: len(_KEY)])].add(read_cell(*row[len(_KEY) :]))


def _insert(s: Session) -> Any:
    return (postgresql if s.get_bind().dialect.name == "postgresql" else sqlite).insert


def _upsert(s: Session) -> Any:
    statement = _insert(s)(Rollup)
    counted = [c.name for c in Rollup.__table__.columns if c.name not in _KEY]
    return statement.on_conflict_do_update(
        index_elements=_KEY, set_={name: statement.excluded[name] for name in counted}
    )
