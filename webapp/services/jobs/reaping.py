"""Looking after jobs that nobody works on any more: the queue gives each message to one worker once."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from webapp.db import Job
from webapp.db.base import session
from webapp.db.jobs import ACTIVE
from webapp.services.clock import now_us
from webapp.services.desk import Desk
from webapp.services.jobs import presence
from webapp.services.jobs.rows import let_go

#: A job that waits longer than this is sent to the queue again: its message may be lost.
WAITING_US = 10_000_000
#: An upload may take an hour as a whole, so what has not grown for as long has nobody who sends it.
ABANDONED_SECONDS = 3600


def reap(desk: Desk) -> None:
    """Take jobs from workers that are dead or too slow to hold them, and send what waits to the queue again."""
    workshop = desk.workshop
    session().rollback()
    rows = session().execute(
        select(Job.id, Job.attempt, Job.worker, Job.lease_us, Job.moved_us).where(Job.state.in_(ACTIVE))
    )
    for row in rows.all():
        if row.lease_us is not None:
            if row.lease_us > now_us() and presence.alive(workshop.workers, row.worker):
                continue
            let_go(row.id, row.attempt)
            workshop.queue.put(row.id)
        elif long_waiting(workshop.job(row.id), row.moved_us):
            workshop.queue.put(row.id)
    presence.forget_dead(workshop.workers)
    _sweep(workshop.incoming)


def long_waiting(folder: Path, moved_us: int) -> bool:
    """Whether a job has waited for long, and not been sent again just now."""
    mark = folder / "sent"
    try:
        sent_us = int(mark.stat().st_mtime * 1_000_000)
    except OSError:
        sent_us = moved_us
    if now_us() - max(sent_us, moved_us) < WAITING_US or not folder.is_dir():
        return False
    mark.touch()
    return True


def _sweep(incoming: Path) -> None:
    """Remove uploads that never became jobs."""
    if not incoming.is_dir():
        return
    for path in incoming.iterdir():
        with suppress(FileNotFoundError):  # it has just become a job
            if path.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                path.unlink()


def discard(folder: Path) -> None:
    """Remove everything of a job that is in files."""
    shutil.rmtree(folder, ignore_errors=True)
