"""What somebody wants erased, restricted or told of: some records by their ids, or all about a subject."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, literal_column, select

from webapp.db import Prediction
from webapp.db.base import session
from webapp.errors import InvalidInput, NotAllowed, NotFound, Problem, printable
from webapp.services import reasons
from webapp.services.people import Actor
from webapp.wording import said

#: Records that are erased or restricted with one transaction, and named by one event.
PART = 500
LONGEST_SUBJECT = 200
ID = re.compile(r"pred_[0-9a-f]{44}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """Either ids of records, at most PART, or a subject, exactly as it was given with the predictions."""

    records: tuple[str, ...] = ()
    subject: str | None = None

    @classmethod
    def of(cls, records: Sequence[str] = (), subject: str | None = None) -> Target:
        """Checked; raises InvalidInput (`#/records`, `#/subject`), and NotFound for a record that is not there."""
        if bool(records) == bool(subject):
            raise InvalidInput([Problem("#/records", said("give either ids of records or a subject"))])
        if subject is not None:
            if len(subject) > LONGEST_SUBJECT or printable(subject) != subject:
                rule = said("must be a text of at most {most} characters", most=LONGEST_SUBJECT)
                raise InvalidInput([Problem("#/subject", rule)])
            return cls(subject=subject)
        session().rollback()  # what was asked a moment ago is not in a snapshot from before
        ids = tuple(dict.fromkeys(records))
        if len(ids) > PART:
            raise InvalidInput([Problem("#/records", said("may be {most} at most", most=PART))])
        known = {i for i in ids if ID.fullmatch(i)}
        known = set(session().scalars(select(Prediction.id).where(Prediction.id.in_(known))))
        if missing := [i for i in ids if i not in known]:
            raise NotFound(said("There is no record {id}.", id=printable(missing[0])[:60]))
        return cls(records=ids)

    @property
    def condition(self) -> ColumnElement[bool]:
        """The same as a condition on `predictions`."""
        if self.subject is not None:
            return Prediction.subject == self.subject
        # What a challenger answered to the same goes with it; written out, so that the partial index serves.
        unseen = Prediction.request_id.in_(self.records) & (Prediction.channel == literal_column("'shadow'"))
        return Prediction.id.in_(self.records) | unseen


def admins_only(actor: Actor | None) -> None:
    """Raises NotAllowed for anybody but admins and the operator (None)."""
    if actor is not None and actor.role != "admin":
        raise NotAllowed(said("Only admins restrict and erase records; ask one of them."))


def readers_only(actor: Actor | None) -> None:
    """Raises NotAllowed for anybody but auditors, admins and the operator (None)."""
    if actor is not None and not actor.sees_all:
        raise NotAllowed(said("Only auditors and admins see what is kept about a subject."))


def checked_reason(text: str, *, required: bool, subjects: set[str]) -> str:
    """What goes on the audit log for good; raises InvalidInput (`#/reason`), also where it names a subject."""
    missing = said("is required; say in a few words why") if required else ""
    reason = reasons.read(text, missing)
    if any(mentions(reason, subject) for subject in subjects):
        told = said("names the reference of a record; it is kept for good, so leave that out")
        raise InvalidInput([Problem("#/reason", told)])
    return reason


def mentions(text: str, subject: str) -> bool:
    """Whether a text has a subject in it, as a whole: case 7 is not in case 71. Capitals do not count."""
    wanted, inside = subject.casefold(), text.casefold()
    at = inside.find(wanted)
    while at >= 0:
        before, after = inside[at - 1 : at], inside[at + len(wanted) :][:1]
        begins = not (before.isalnum() and wanted[0].isalnum())
        ends = not (after.isalnum() and wanted[-1].isalnum())
        if begins and ends:
            return True
        at = inside.find(wanted, at + 1)
    return False


def day(us: int) -> str:
    """The UTC day of a moment."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).date().isoformat()
