"""What somebody has asked a model by form last, to begin a new question from."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import literal_column, select

from webapp.db import Model, Prediction
from webapp.db.base import session
from webapp.db.predictions import BY_HAND
from webapp.services.people import Actor

#: Of somebody's newest records, so many are looked at: the cost has a bound, however many there are.
LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Recent:
    """One record in a line: its label or its value, microseconds UTC."""

    id: str
    created_us: int
    label: str | None
    value: float | None
    subject: str | None


def recent(actor: Actor, model: str, most: int = 10) -> list[Recent]:
    """The newest records that `actor` made with the form of a model, and that are active, newest first."""
    columns = (Prediction.id, Prediction.created_us, Prediction.label, Prediction.value, Prediction.subject)
    newest = (
        select(*columns, Prediction.seq, Prediction.model_id, Prediction.state)
        .where(Prediction.user_id == actor.id, literal_column(BY_HAND))
        .order_by(Prediction.created_us.desc(), Prediction.seq.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    rows = session().execute(
        select(*(newest.c[column.key] for column in columns))
        .join(Model, Model.id == newest.c.model_id)
        .where(Model.name == model, newest.c.state == "active")
        .order_by(newest.c.created_us.desc(), newest.c.seq.desc())
        .limit(most)
    )
    return [Recent(*row) for row in rows]
