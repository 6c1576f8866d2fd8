"""Verifications asked for on a page: a worker does them, one at a time, and tells how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import orjson
from sqlalchemy import or_, select, update

from webapp.db import User, Verification
from webapp.db.base import session, transaction
from webapp.errors import Conflict, NotAllowed, NotFound
from webapp.services import audit
from webapp.services.clock import now_us
from webapp.services.people import Actor
from webapp.services.sealing.keys import Keyring
from webapp.services.verifying import Findings, claims, verify
from webapp.wording import said

ACTIVE = ("waiting", "running")
#: Seconds between two notes of how far it is; one that has noted nothing for so long is begun again.
NOTED, LOST = 1.0, 60.0


class _Ended(Exception):
    """Somebody wants it to end, or another worker has taken it up."""


@dataclass(frozen=True, slots=True)
class Run:
    """One verification; times are microseconds UTC."""

    number: int
    by: str
    asked_us: int
    #: waiting, running, done, cancelled or failed.
    state: str
    anchored_by: str
    done: int
    total: int
    finished_us: int | None
    cancel: bool
    findings: Findings | None

    @property
    def active(self) -> bool:
        """Whether it will go on by itself."""
        return self.state in ACTIVE

    @property
    def share(self) -> float | None:
        """How much of it is done, 0..1; None while nobody knows."""
        return self.done / self.total if self.total else None


def ask(actor: Actor, outside: str = "") -> int:
    """Have everything verified, held against a checkpoint from outside if one is given; returns its number.

    One at a time: while one is under way, asking for the same again gives that one. Raises NotAllowed, InvalidInput
    (`#/checkpoint`), and Conflict where the one under way is held against something else.
    """
    _readers_only(actor)
    if outside.strip():
        claims.read_all(outside)
    with transaction() as current:
        under_way = current.scalar(select(Verification).where(Verification.state.in_(ACTIVE)).limit(1))
        if under_way is not None and under_way.outside == outside.strip():
            return under_way.seq
        if under_way is not None:
            raise Conflict(said("Another verification is under way; ask again when it has ended."))
        row = Verification(user_id=actor.id, asked_us=now_us(), state="waiting", outside=outside.strip())
        row.moved_us = row.asked_us
        current.add(row)
        current.flush()
        return row.seq


def cancel(actor: Actor, number: int) -> None:
    """End one that is under way; raises NotAllowed, NotFound."""
    get(actor, number)
    with transaction() as current:
        mine = (Verification.seq == number, Verification.state.in_(ACTIVE))
        current.execute(update(Verification).where(*mine).values(cancel=True))
        waiting = update(Verification).where(*mine, Verification.state == "waiting")
        current.execute(waiting.values(state="cancelled", finished_us=now_us()))


def get(actor: Actor, number: int) -> Run:
    """One verification; raises NotAllowed, NotFound."""
    _readers_only(actor)
    row = session().get(Verification, number, populate_existing=True)
    if row is None:
        raise NotFound(said("There is no such verification."))
    return _run(row)


def latest(actor: Actor, most: int = 5) -> list[Run]:
    """The newest ones, newest first; raises NotAllowed."""
    _readers_only(actor)
    rows = session().scalars(select(Verification).order_by(Verification.seq.desc()).limit(most))
    return [_run(row) for row in rows]


def work(keys: Keyring) -> bool:
    """Do the next one that waits, or whose worker is gone; returns whether there was one."""
    number = _take()
    if number is None:
        return False
    row = session().get_one(Verification, number)
    outside = claims.read_all(row.outside) if row.outside else []
    session().rollback()
    noted = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal noted
        if time.monotonic() - noted > NOTED:
            noted = time.monotonic()
            _note(number, done, total)

    try:
        _end(number, "done", verify(keys, outside, tell))
    except _Ended:
        _end(number, "cancelled", None)
    except BaseException:
        session().rollback()
        _end(number, "failed", None)
        raise
    return True


def _take() -> int | None:
    lost = now_us() - int(LOST * 1_000_000)
    free = or_(
        Verification.state == "waiting",
        (Verification.state == "running") & (Verification.moved_us < lost),
    )
    session().rollback()
    if session().scalar(select(Verification.seq).where(free).limit(1)) is None:
        return None  # without a transaction that would write
    with transaction() as current:
        row = current.scalar(select(Verification).where(free).limit(1).with_for_update())
        if row is None:
            return None
        row.state, row.moved_us, row.done = "running", now_us(), 0
        return row.seq


def _note(number: int, done: int, total: int) -> None:
    """Raises _Ended where nobody waits for it any more. It reads on in another connection, so this one may write."""
    with transaction() as current:
        row = current.get_one(Verification, number)
        row.done, row.total, row.moved_us = done, total, now_us()
        if row.cancel or row.state != "running":
            raise _Ended


def _end(number: int, state: str, found: Findings | None) -> None:
    with transaction() as current:
        row = current.get_one(Verification, number)
        row.state, row.finished_us = state, now_us()
        if found is None:
            return
        row.done = row.total = found.size + found.unsealed
        row.findings = orjson.dumps(found.to_dict()).decode()
        facts = {
            "size": found.size,
            "altered": found.n_altered,
            "sound": found.sound,
            "undecided": found.undecided,
            "anchored": found.anchored,
        }
        audit.append(current, "verification", row.user_id, facts)


def _run(row: Verification) -> Run:
    by = session().get_one(User, row.user_id).username
    found = Findings.of(orjson.loads(row.findings)) if row.findings else None
    return Run(
        row.seq,
        by,
        row.asked_us,
        row.state,
        row.outside,
        row.done,
        row.total,
        row.finished_us,
        row.cancel,
        found,
    )


def _readers_only(actor: Actor) -> None:
    if not actor.sees_all:
        raise NotAllowed(said("Only auditors and admins verify the record."))
