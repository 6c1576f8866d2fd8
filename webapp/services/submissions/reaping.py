"""Looking after submissions that nobody works on any more, and after files of those that have ended."""

from __future__ import annotations

import time

from sqlalchemy import select

from webapp.db import Submitted
from webapp.db.base import session
from webapp.db.submissions import CHOOSING, OPEN
from webapp.services.clock import now_us
from webapp.services.desk import Desk
from webapp.services.jobs import presence
from webapp.services.jobs.reaping import ABANDONED_SECONDS, discard, long_waiting
from webapp.services.submissions import PREFIX
from webapp.services.submissions.rows import give_up_waiting, let_go


def reap(desk: Desk) -> None:
    """Take submissions from workers that are dead, send what waits to the queue again, and remove what is over."""
    workshop = desk.workshop
    session().rollback()
    columns = (Submitted.id, Submitted.attempt, Submitted.worker, Submitted.lease_us, Submitted.moved_us)
    for row in session().execute(select(*columns).where(Submitted.state.in_(OPEN))).all():
        if row.lease_us is not None:
            if row.lease_us > now_us() and presence.alive(workshop.workers, row.worker):
                continue
            let_go(row.id, row.attempt)
            workshop.queue.put(row.id)
        elif long_waiting(workshop.job(row.id), row.moved_us):
            workshop.queue.put(row.id)
    give_up_waiting()
    _sweep(desk)


def _sweep(desk: Desk) -> None:
    """Remove the files of submissions that have ended, or never came on file."""
    session().rollback()
    for folder in desk.workshop.folder.glob(f"{PREFIX}_*"):
        state = session().scalar(select(Submitted.state).where(Submitted.id == folder.name))
        forgotten = state is None and folder.stat().st_mtime < time.time() - ABANDONED_SECONDS
        if forgotten or (state is not None and state not in (*OPEN, CHOOSING)):
            discard(folder)
