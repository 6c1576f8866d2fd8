"""How many records a filter means, by model and class: from counts kept ready where they can tell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import case, func, select

from webapp.db import Hold, Model, Prediction
from webapp.db.base import session
from webapp.services.filters import END_US, Filters, matching
from webapp.services.people import Actor
from webapp.services.rollups.cells import Cell, Kept
from webapp.services.rollups.levels import HOUR, SECOND, WEEK
from webapp.services.rollups.reading import FEW, Reader

#: What of a filter the counts kept ready can tell.
_TOLD = ("model", "version", "label", "user", "channel", "warned", "since_us", "until_us")
_HOUR_US = HOUR * SECOND
#: The end of a longest bucket, after all that a filter can say.
_END_US = -(-END_US // (WEEK * SECOND)) * WEEK * SECOND


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a filter; `capped`: only the newest `records` were looked at, there may be more."""

    records: int
    warned: int
    #: Model -> records of each, most first.
    models: dict[str, int]
    #: Model -> label -> records, most first; a model that answers with numbers has no labels.
    classes: dict[str, dict[str, int]]
    capped: bool

    @property
    def labels(self) -> dict[str, int]:
        """Label -> records, of the one model found; classes of several models are never mixed."""
        return next(iter(self.classes.values()), {}) if len(self.models) == 1 else {}


def totals(actor: Actor, filters: Filters, *, at_most: int) -> Totals:
    """Totals of all the records where counts kept ready can tell, else of the newest `at_most`.

    They know model, version, label, user, channel, whether there are warnings, and times of whole hours.
    """
    if not actor.sees_all and _some_restricted(actor):  # which the counts kept ready do not leave out
        return count(actor, filters, at_most=at_most)
    told = {name: getattr(filters, name) for name in _TOLD}
    since, until = filters.since_us or 0, _END_US if filters.until_us is None else filters.until_us
    if filters != Filters(**told) or since % _HOUR_US or until % _HOUR_US:
        return count(actor, filters, at_most=at_most)
    reader = Reader(actor, filters)
    if reader.newest - reader.horizon >= FEW:  # the counts are being made; the rest would be read one by one
        return count(actor, filters, at_most=at_most)
    found = _Found()
    for part in reader.parts(since, max(since, until), WEEK):
        found.add(reader.scope.versions[part.version_id][0], _left(part.cell, filters))
    return found.totals()


def count(actor: Actor, filters: Filters, *, at_most: int | None = None) -> Totals:
    """Totals of the filter, record by record; with `at_most`, of its newest only, so that the cost has a bound."""
    wanted = select(Prediction.model_id, Prediction.label, Prediction.warned).where(*matching(actor, filters))
    if at_most is not None:
        wanted = wanted.order_by(Prediction.created_us.desc(), Prediction.seq.desc()).limit(at_most)
    found = wanted.subquery()
    warned = func.sum(case((found.c.warned > 0, 1), else_=0)).label("warned")
    sums = select(found.c.model_id, found.c.label, func.count().label("n"), warned).group_by(
        found.c.model_id, found.c.label
    )
    each = sums.subquery()
    rows = session().execute(
        select(Model.name, each.c.label, each.c.n, each.c.warned).join(Model, Model.id == each.c.model_id)
    )
    seen = _Found()
    for model, label, n, flagged in rows:
        seen.add(model, _Counts(int(n), int(flagged), {} if label is None else {label: int(n)}))
    return seen.totals(at_most)


def _some_restricted(actor: Actor) -> bool:
    held = (
        select(Hold.seq)
        .join(Prediction, Prediction.seq == Hold.prediction_seq)
        .where(Hold.lifted_us.is_(None), Prediction.user_id == actor.id)
    )
    return session().scalar(held.limit(1)) is not None


class _Counts(NamedTuple):
    records: int
    warned: int
    labels: dict[str, int]


class _Found:
    """What has been counted so far."""

    def __init__(self) -> None:
        self._models: Counter[str] = Counter()
        self._classes: dict[str, Counter[str]] = {}
        self._warned = 0

    def add(self, model: str, counts: _Counts) -> None:
        if not counts.records:
            return
        self._models[model] += counts.records
        self._warned += counts.warned
        if counts.labels:
            self._classes.setdefault(model, Counter()).update(counts.labels)

    def totals(self, at_most: int | None = None) -> Totals:
        records, models = self._models.total(), dict(self._models.most_common())
        classes = {
            model: dict(sorted(self._classes[model].items(), key=lambda item: (-item[1], item[0])))
            for model in models
            if model in self._classes
        }
        return Totals(records, self._warned, models, classes, capped=records == at_most)


def _left(cell: Cell | Kept, filters: Filters) -> _Counts:
    """What of a cell's counts a filter's label and warnings leave."""

    def left(records: int, warned: int) -> int:
        return records if filters.warned is None else warned if filters.warned else records - warned

    labels = {label: n for label, n in cell.labels.items() if filters.label in (None, label)}
    records, warned = cell.predictions, cell.warned
    if filters.label is not None:
        records, warned = (sum(n[i] for n in labels.values()) for i in (0, 1))
    counts = {label: left(*n) for label, n in labels.items() if left(*n)}
    return _Counts(left(records, warned), 0 if filters.warned is False else warned, counts)
