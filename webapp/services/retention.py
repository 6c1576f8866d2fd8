"""How long records are kept: the rule, and the erasing that follows from it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import func, select

from webapp.db import Hold, Job, Prediction, Retention
from webapp.db.base import session, transaction
from webapp.db.jobs import ACTIVE
from webapp.db.keeping import FLOOR_DAYS as FLOOR_DAYS
from webapp.errors import InvalidInput, Problem
from webapp.services import audit, erasure
from webapp.services.clock import now_us
from webapp.services.desk import Desk
from webapp.services.erased import RETENTION
from webapp.services.erasure.parts import Ground
from webapp.services.erasure.preview import DAY_US
from webapp.services.horizons import RETAINED, advance, horizon
from webapp.services.people import Actor, queue
from webapp.services.targets import PART, admins_only, readers_only
from webapp.wording import said

LONGEST_DAYS = 36_500
#: What has to be typed for less than FLOOR_DAYS, in each language of the pages.
SHORT = (said("LESS THAN SIX MONTHS"), "MENOS DE SEIS MESES")
#: Between two parts, as a share of the time that one took: predictions wait for a part.
REST = 2.0


@dataclass(frozen=True, slots=True)
class Rule:
    """Records are erased after `days` (None: never by themselves), and before `floor_days` not on request either."""

    days: int | None
    floor_days: int


@dataclass(frozen=True, slots=True)
class Due:
    """What a rule would erase now; times are microseconds UTC."""

    records: int
    first_us: int | None
    last_us: int | None
    #: Restricted records that it would leave.
    held: int


def rule(actor: Actor | None) -> Rule:
    """The rule in force; raises NotAllowed."""
    readers_only(actor)
    return _rule()


def due(actor: Actor | None, days: int | None) -> Due:
    """What there is that is older than `days`; raises NotAllowed."""
    readers_only(actor)
    if days is None:
        return Due(0, None, None, 0)
    old = Prediction.created_us >= _from(), Prediction.created_us < now_us() - days * DAY_US
    columns = func.count(Prediction.seq), func.min(Prediction.created_us), func.max(Prediction.created_us)
    records, first, last = session().execute(select(*columns).where(*old, Prediction.state == "active")).one()
    held = select(func.count(Hold.seq)).join(Prediction, Prediction.seq == Hold.prediction_seq)
    return Due(records, first, last, session().scalar(held.where(Hold.lifted_us.is_(None), old[1])) or 0)


def change(actor: Actor | None, *, days: int | None, floor_days: int, typed: str = "") -> Rule:
    """Set the rule; less than FLOOR_DAYS of either has to be confirmed by typing SHORT.

    Raises NotAllowed, InvalidInput (`#/days`, `#/floor_days`, `#/typed`), NotSignedIn.
    """
    admins_only(actor)
    if shortens(days, floor_days) and typed.strip() not in SHORT:
        raise InvalidInput([Problem("#/typed", said("must be {phrase} for so few days", phrase=SHORT[0]))])
    with transaction() as current:
        queue(current, actor)
        row = current.get(Retention, 1, with_for_update=True) or Retention(id=1, floor_days=FLOOR_DAYS)
        before = {"days": row.days, "floor_days": row.floor_days}
        after = {"days": days, "floor_days": floor_days}
        if before != after:
            row.days, row.floor_days = days, floor_days
            current.add(row)
            facts = {"from": before, "to": after}
            audit.append(current, "retention-changed", actor.id if actor else None, facts)
    return Rule(days, floor_days)


def shortens(days: int | None, floor_days: int) -> bool:
    """Whether this rule goes, or goes further, below FLOOR_DAYS, and has to be confirmed.

    Raises InvalidInput (`#/days`, `#/floor_days`) for one that cannot be.
    """
    problems = []
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        problems.append(Problem("#/days", said("must be 1 to {most} days", most=LONGEST_DAYS)))
    if not 0 <= floor_days <= LONGEST_DAYS:
        problems.append(Problem("#/floor_days", said("must be 0 to {most} days", most=LONGEST_DAYS)))
    if not problems and days is not None and days < floor_days:
        short = said(
            "must be at least {n}, because nothing younger is erased; lower that floor first",
            n=floor_days,
        )
        problems.append(Problem("#/days", short))
    if problems:
        raise InvalidInput(problems)
    now = _rule()
    below = [(now.days, days), (now.floor_days, floor_days)]
    return any(
        after is not None and after < FLOOR_DAYS and (before is None or after < before)
        for before, after in below
    )


def apply(desk: Desk, seconds: float) -> int:
    """Erase what is older than the rule says, oldest first, for so long at most; returns how many records.

    Restricted records are left, and what is younger than a batch that is being worked on waits for its end.
    """
    give_up, erased = time.monotonic() + seconds, 0
    while True:
        begun = time.monotonic()
        taken = _take_some(desk)
        erased += taken
        took = time.monotonic() - begun
        if taken < PART or time.monotonic() + took * REST > give_up:
            return erased
        time.sleep(took * REST)


def _take_some(desk: Desk) -> int:
    """Erase the oldest PART records that are due, and note how far all is done."""
    current = session()
    current.rollback()
    start, end = _from(), _until()
    if end is None or end <= start:
        return 0
    due = Prediction.created_us >= start, Prediction.created_us < end, Prediction.state == "active"
    place = Prediction.created_us, Prediction.seq
    rows = current.execute(select(*place).where(*due).order_by(*place).limit(PART)).all()
    current.rollback()
    if rows:
        ground = Ground(RETENTION, "", RETENTION)
        wanted = [Prediction.seq.in_([row.seq for row in rows]), Prediction.state == "active"]
        erasure.take(desk, None, wanted, ground)
    done = rows[-1].created_us if len(rows) == PART else end
    with transaction() as current:
        if horizon(current, RETAINED) == start:  # else something has been lifted meanwhile
            advance(current, RETAINED, start, done)
    return len(rows)


def _from() -> int:
    return horizon(session(), RETAINED)


def _until() -> int | None:
    days = _rule().days
    if days is None:
        return None
    working = session().scalar(select(func.min(Job.created_us)).where(Job.state.in_(ACTIVE)))
    oldest = now_us() - days * DAY_US
    return oldest if working is None else min(oldest, working)


def _rule() -> Rule:
    row = session().execute(select(Retention.days, Retention.floor_days)).first()
    return Rule(*row) if row else Rule(None, FLOOR_DAYS)
