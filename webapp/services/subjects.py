"""What is kept about one subject, for whoever has to tell them (LGPD arts. 18 to 20, GDPR arts. 15, 20 and 22)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import func, select

from webapp.db import Model, Prediction
from webapp.db.base import session, transaction
from webapp.errors import NotFound
from webapp.services import audit, history, holds, outcomes, reviews
from webapp.services.filters import Filters
from webapp.services.holds import Restriction
from webapp.services.outcomes import Reported
from webapp.services.people import Actor
from webapp.services.reviews import Reviewed
from webapp.services.targets import Target, readers_only
from webapp.wording import said


@dataclass(frozen=True, slots=True)
class Subject:
    """What there is about a subject that is not erased; times are microseconds UTC."""

    name: str
    records: int
    first_us: int | None
    last_us: int | None
    #: Model -> records, by name.
    models: dict[str, int]
    #: How many are restricted, and some of the restrictions.
    n_restricted: int
    restrictions: list[Restriction]


class Told(NamedTuple):
    """One record, and all that became of it."""

    record: history.Record
    reviews: list[Reviewed]
    outcomes: list[Reported]
    restrictions: list[Restriction]


def find(actor: Actor, name: str) -> Subject:
    """What there is about the subject of exactly this name, which may be nothing; raises NotAllowed, InvalidInput."""
    readers_only(actor)
    target = Target.of(subject=name)
    columns = func.count(), func.min(Prediction.created_us), func.max(Prediction.created_us)
    rows = session().execute(
        select(Model.name, *columns)
        .select_from(Prediction)
        .join(Prediction.model)
        .where(target.condition)
        .group_by(Model.name)
        .order_by(Model.name)
    )
    found = rows.all()
    return Subject(
        name,
        sum(n for _, n, _, _ in found),
        min((first for _, _, first, _ in found), default=None),
        max((last for _, _, _, last in found), default=None),
        {model: n for model, n, _, _ in found},
        holds.count_standing(target),
        holds.standing(target, limit=20),
    )


def take(actor: Actor, name: str, format: str) -> tuple[Subject, str, Iterator[Told]]:
    """All about a subject, newest first, and the id of the event that notes it, which does not name the subject.

    `format` is json, or print. Raises NotAllowed, InvalidInput, NotFound; NotReady when it cannot be noted.
    """
    found = find(actor, name)
    if not found.records:
        raise NotFound(said("There is nothing on the record about this subject."))
    facts = {"scope": "subject", "records": found.records}
    kind, facts = ("print", facts) if format == "print" else ("export", {"format": format, **facts})
    with transaction() as current:
        event = audit.append(current, kind, actor.id, facts)
    return found, event, _everything(actor, name)


def _everything(actor: Actor, name: str) -> Iterator[Told]:
    for record in history.export(actor, Filters(subject=name)):
        yield Told(record, reviews.of(record.id), outcomes.of(record.id), holds.of_record(record.id))
        time.sleep(history.BREATH)
