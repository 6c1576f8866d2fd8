"""Reading the record: search, one, all. Analysts and publishers see only what they asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, Select, Tuple, not_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from webapp.db import Model, ModelVersion, Prediction, User
from webapp.db.base import session
from webapp.errors import NotFound
from webapp.services.erased import Erasure, by_seq
from webapp.services.filters import Filters as Filters
from webapp.services.filters import matching
from webapp.services.paging import Cursors, Turn
from webapp.services.people import Actor, recheck
from webapp.wording import said

CHUNK = 200
#: Seconds between chunks: long enough that other requests of this process are looked at. A reader who takes all at
#: once would have it alone, until it is killed for not answering.
BREATH = 1e-6
#: Records that a search for text looks at without a breath: some 30 ms.
WINDOW = 20_000


@dataclass(frozen=True, slots=True)
class Record:
    """One answer as it was given. Times and durations are integer microseconds."""

    id: str
    model: str
    version: str
    #: The class as the model gave it, the items of a ranking in order, or the number.
    prediction: str | float | bool | list[Any] | None
    #: The class as displayed; None for regression.
    label: str | None
    #: The number for regression, in `unit`; None for classification.
    value: float | None
    #: Probability of `label`; None where the model gives none.
    score: float | None
    unit: str | None
    probabilities: dict[str, float] | None
    #: item, label and score of each, in order; None but for rankings.
    ranking: list[dict[str, Any]] | None
    #: label, at_least and reached of the threshold that settled the class; None where the version has none.
    threshold: dict[str, Any] | None
    #: feature, kind and detail of each.
    warnings: list[dict[str, str]]
    warned: int
    #: As received; None once erased.
    inputs: dict[str, Any] | None
    #: What the model was given, defaults filled in; None once erased.
    used: dict[str, Any] | None
    defaulted: list[str]
    user: str
    role: str
    channel: str
    subject: str | None
    request_id: str
    #: The caller's own ids of the request: client_request_id, trace_id.
    correlation: dict[str, str]
    created_us: int
    finished_us: int
    latency_us: int
    #: Stage -> microseconds.
    timings: dict[str, int]
    cached: bool
    engine: str
    #: active, restricted or erased.
    state: str
    #: confirmed or overridden, by the latest review; None without one.
    review: str | None
    #: agrees, differs or known, by the latest outcome; None without one.
    outcome: str | None
    #: The comparison of versions that it was made in.
    experiment: str | None
    #: SHA-256 of the model file and of the schema, hex.
    digest: str
    schema_hash: str
    seq: int
    #: When, by whom and why; None unless erased.
    erasure: Erasure | None

    def rank(self, label: object) -> int | None:
        """The place of an item in the ranking, from 1; None where it is not among those answered."""
        return next((n for n, one in enumerate(self.ranking or (), 1) if one["label"] == label), None)


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, newest first, and where the older ones and the newer ones begin."""

    records: list[Record]
    has_more: bool
    next_cursor: str | None
    prev_cursor: str | None


def search(
    actor: Actor,
    filters: Filters,
    *,
    limit: int,
    key: str,
    offset: int | None = None,
    cursor: str | None = None,
) -> Page:
    """`limit` records, newest first, from `cursor` (signed with `key` for this search) or `offset` on.

    Raises Malformed for a cursor that was not given out for this search.
    """
    cursors = Cursors(key, actor, "history", astuple(filters))
    turn = cursors.open(cursor)
    page = cursors.page(_rows(actor, filters, limit + 1, turn, offset), limit, turn, _place_of)
    return Page(_records(page.rows), page.older is not None, page.older, page.newer)


def oldest_us(actor: Actor, filters: Filters) -> int | None:
    """When the first record of the filter was asked for; None without one."""
    first = (
        select(Prediction.created_us)
        .where(*matching(actor, filters))
        .order_by(Prediction.created_us, Prediction.seq)
    )
    return session().scalar(first.limit(1))


def get(actor: Actor, record_id: str) -> Record:
    """One record. Raises NotFound alike for one that is absent and one that is somebody else's."""
    mine = [*matching(actor, Filters()), Prediction.id == record_id]
    row = session().execute(_newest(mine)).first() if record_id.isprintable() else None
    if row is None:
        raise NotFound(said("There is no such record, or it is not yours to see."))
    return _records([row])[0]


def neighbours(actor: Actor, filters: Filters, record: Record) -> tuple[str | None, str | None]:
    """Ids of the next newer and the next older record of the filter; the record itself need not be in it."""
    here = (record.created_us, record.seq)
    mine = select(Prediction.id).where(*matching(actor, filters)).limit(1)
    newer = mine.where(_place() > here).order_by(Prediction.created_us, Prediction.seq)
    older = mine.where(_place() < here).order_by(Prediction.created_us.desc(), Prediction.seq.desc())
    return session().scalar(newer), session().scalar(older)


def of_subject(actor: Actor, record: Record, *, each: int = 3) -> list[Record]:
    """Up to `each` records with the same subject just after it and just before it, newest first."""
    if record.subject is None:
        return []
    same = _newest(matching(actor, Filters(subject=record.subject))).limit(each)
    here = (record.created_us, record.seq)
    after = same.where(_place() > here)
    # The nearest of what came later, so in the order of time.
    rows = session().execute(after.order_by(None).order_by(Prediction.created_us, Prediction.seq)).all()
    before = session().execute(same.where(_place() < here)).all()
    return _records([*reversed(rows), *before])


def export(actor: Actor, filters: Filters) -> Iterator[Record]:
    """Every record of the filter, newest first, read in chunks so that memory stays flat.

    Raises NotSignedIn between chunks when `actor` has lost access meanwhile.
    """
    rows = _rows(actor, filters, CHUNK)
    while rows:
        records = _records(rows)
        session().rollback()  # a slow reader must not hold a snapshot of the database open
        yield from records
        time.sleep(BREATH)
        recheck(actor)  # a slow reader must not read on for hours
        rows = _rows(actor, filters, CHUNK, Turn(_place_of(rows[-1])))


_COLUMNS: dict[str, InstrumentedAttribute[Any]] = {
    **{
        c.key: getattr(Prediction, c.key)
        for c in Prediction.__table__.columns
        if c.key != "salts" and not c.key.endswith("_id")
    },
    "request_id": Prediction.request_id,
    "model": Model.name,
    "version": ModelVersion.number,
    "digest": ModelVersion.digest,
    "schema_hash": ModelVersion.schema_hash,
    "user": User.username,
}


def _rows(
    actor: Actor, filters: Filters, most: int, turn: Turn | None = None, offset: int | None = None
) -> list[Row[Any]]:
    """The first `most` rows of a filter from a turn on, which is from the newest one on, without the first `offset`.

    A text is looked for in WINDOW records at a time: where it is rare, all of them are looked at, and others of this
    process have their turn in between.
    """
    found = _along(_newest(matching(actor, filters)), turn).limit(most)
    if not filters.q or offset:
        return list(session().execute(found.where(*_beyond(turn)).offset(offset)).all())
    looked_at, rows = matching(actor, replace(filters, q=None)), list[Row[Any]]()
    while True:
        edge = _edge(looked_at, turn)
        part = found.where(*_beyond(turn), *([not_(edge.beyond(_place()))] if edge else []))
        rows += session().execute(part).all()
        if edge is None or len(rows) >= most:
            return rows[:most]
        turn = edge
        time.sleep(BREATH)


def _edge(conditions: list[ColumnElement[bool]], turn: Turn | None) -> Turn | None:
    """Where the first WINDOW records from a turn on end; None where there are no more than these."""
    edge = select(Prediction.created_us, Prediction.seq).where(*conditions, *_beyond(turn))
    edge = edge.order_by(Prediction.created_us.desc(), Prediction.seq.desc())
    row = session().execute(_along(edge, turn).offset(WINDOW - 1).limit(1)).first()
    return Turn(_place_of(row), turn is not None and turn.newer) if row else None


def _newest(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    # Outer joins: the planner may then not start from the small tables and sort every record.
    return (
        select(*(column.label(name) for name, column in _COLUMNS.items()))
        .select_from(Prediction)
        .outerjoin(Prediction.model)
        .outerjoin(Prediction.version)
        .outerjoin(Prediction.user)
        .where(*conditions)
        .order_by(Prediction.created_us.desc(), Prediction.seq.desc())
    )


def _place() -> Tuple:
    return tuple_(Prediction.created_us, Prediction.seq)


def _place_of(row: Row[Any]) -> tuple[int, int]:
    return row.created_us, row.seq


def _beyond(turn: Turn | None) -> list[ColumnElement[bool]]:
    """The condition of being beyond a turn; none where there is no turn."""
    return [turn.beyond(_place())] if turn else []


def _along(newest_first: Any, turn: Turn | None) -> Any:
    """The same rows in the order in which they follow a turn."""
    if turn is None or not turn.newer:
        return newest_first
    return newest_first.order_by(None).order_by(Prediction.created_us, Prediction.seq)


def _records(rows: Sequence[Row[Any]]) -> list[Record]:
    erasures = by_seq(row.erasure for row in rows if row.erasure is not None)
    return [_record(row, erasures) for row in rows]


def _record(row: Row[Any], erasures: Mapping[int, Erasure]) -> Record:
    columns = dict(row._mapping)
    inputs, output = _object(columns["inputs"]), _object(columns["output"])
    columns.pop("output")
    columns.update(
        version=str(columns["version"]),
        prediction=output.get("prediction"),
        unit=output.get("unit"),
        probabilities=output.get("probabilities"),
        ranking=output.get("ranking"),
        threshold=output.get("threshold"),
        warnings=output.get("warnings", []),
        inputs=inputs.get("received"),
        used=inputs.get("used", inputs.get("received")),
        defaulted=inputs.get("defaulted", []),
        correlation=inputs.get("correlation", {}),
        timings=_object(columns["timings"]),
        erasure=erasures.get(row.erasure),
    )
    return Record(**columns)


def _object(text: str | None) -> dict[str, Any]:
    """What was kept as a JSON object; nothing where it is none any more, so that one damaged record hides no other."""
    try:
        found = orjson.loads(text) if text else None
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
