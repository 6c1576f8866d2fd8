"""Batches with an erased record in them: their files hold its row, so they go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.db import IdempotencyKey, Job
from webapp.db.base import session, transaction
from webapp.db.jobs import ACTIVE
from webapp.services.clock import now_us
from webapp.services.desk import Desk
from webapp.services.erasure.preview import being_worked_on
from webapp.services.jobs.reaping import discard
from webapp.services.targets import mentions


def with_files(desk: Desk, ids: Iterable[str]) -> list[str]:
    """Those batches of which something is there yet, in the database or in files."""
    rows = session().execute(select(Job.id, Job.removed_us).where(Job.id.in_(set(ids))))
    return [id for id, removed in rows if removed is None or desk.workshop.job(id).is_dir()]


def clear(desk: Desk, ids: Sequence[str], subjects: Sequence[str]) -> None:
    """Remove file and result of batches, and what was noted of their rows; the records stay.

    Raises Conflict where one is being worked on.
    """
    with transaction() as current:
        for job in current.scalars(select(Job).where(Job.id.in_(ids)).with_for_update()):
            if job.state in ACTIVE:
                raise being_worked_on(job.id)
            if job.state == "checked":
                job.state, job.finished_us = "cancelled", now_us()
            job.removed_us = job.removed_us or now_us()
            if job.findings:  # the first rows, and values that could not be used
                job.findings = orjson.dumps(
                    orjson.loads(job.findings) | {"preview": [], "first": []}
                ).decode()
            if any(mentions(job.file_name, subject) for subject in subjects):
                job.file_name = "erased" + PurePath(job.file_name).suffix.lower()[:8]
            _forget_key(current, job, subjects)
    for id in ids:
        discard(desk.workshop.job(id))


def _forget_key(current: Session, job: Job, subjects: Sequence[str]) -> None:
    """A key's fingerprint is a plain hash of the file, by which a small one could be guessed."""
    of_job = IdempotencyKey.created_us == job.created_us, IdempotencyKey.record_ids == f'["{job.id}"]'
    for key in current.scalars(select(IdempotencyKey).where(*of_job)):
        if any(mentions(key.key, subject) for subject in subjects):
            current.delete(key)
        else:
            key.fingerprint = ""
