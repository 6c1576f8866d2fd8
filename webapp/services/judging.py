"""What reviews and outcomes have in common: who may say it, of which record, and in the terms of its version."""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.db import Prediction
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound, Problem
from webapp.ml.schema import Output
from webapp.ml.store import Store
from webapp.services import registry
from webapp.services.filters import Filters, matching
from webapp.services.history import Record
from webapp.services.people import Actor, queue
from webapp.wording import said

#: Of one record, so that nobody fills the log with corrections.
MOST = 100


class Truth(NamedTuple):
    """A class as displayed, or a number; the other is None."""

    label: str | None
    value: float | None

    @property
    def plain(self) -> str | float | None:
        """Whichever it is."""
        return self.value if self.label is None else self.label


def may_judge(actor: Actor, record: Record) -> bool:
    """Whether somebody who sees a record may also say something about it: its owner and admins."""
    return actor.role == "admin" or (actor.role != "auditor" and actor.username == record.user)


def lock(current: Session, actor: Actor, record_id: str, counted: InstrumentedAttribute[int]) -> Prediction:
    """The row of a record, held until the transaction ends; `counted` is what there may be MOST of.

    Raises NotFound, NotAllowed, NotSignedIn, Conflict (erased, or MOST reached).
    """
    queue(current, actor)
    mine = [*matching(actor, Filters()), Prediction.id == record_id]
    row = current.scalar(select(Prediction).where(*mine).with_for_update(of=Prediction))
    if row is None:
        raise NotFound(said("There is no such record, or it is not yours to see."))
    if actor.role == "auditor" or (actor.role != "admin" and row.user_id != actor.id):
        raise NotAllowed(said("Only who asked, or an admin, may say what became of an answer."))
    if row.state == "erased":
        raise Conflict(said("This record has been erased; nothing can be added to it."))
    if (current.scalar(select(func.count()).where(counted == row.seq)) or 0) >= MOST:
        raise Conflict(said("This record has been corrected {n} times; no more is taken.", n=MOST))
    return row


def truth(store: Store, record: Record, given: Any, pointer: str) -> Truth:
    """`given` in the terms of the version that answered: one of its classes, by value or label, or a finite number.

    Raises InvalidInput at `pointer`, NotReady for a version that is not stored as it was published.
    """
    if record.value is not None:
        return Truth(None, _number(given, pointer))
    if record.label is None:
        raise Conflict(said("This record has been erased; nothing can be added to it."))
    model = registry.describe(store, record.model, record.version, actor=None)  # the record is theirs
    label = _class(model.schema.output, given)
    if label is None:
        listed = ", ".join(choice.label for choice in model.schema.output.classes[:20])
        raise InvalidInput([Problem(pointer, said("must be one of the classes: {classes}", classes=listed))])
    return Truth(label, None)


def _class(output: Output, given: Any) -> str | None:
    # With their types, because 1, 1.0 and True are equal in python.
    for choice in output.classes:
        if given == choice.label or (type(given) is type(choice.value) and given == choice.value):
            return choice.label
    return None


def _number(given: Any, pointer: str) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        try:
            number = float(given)
        except OverflowError:
            number = float("inf")
        if isfinite(number):
            return number
    raise InvalidInput([Problem(pointer, said("must be a finite number"))])
