"""Rows of a request that becomes a batch, instead of being waited for."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from webapp.errors import InvalidInput, Problem
from webapp.services import jobs, people
from webapp.services.desk import Desk
from webapp.services.jobs import JobView, Upload
from webapp.services.jobs.once import Key
from webapp.services.people import Actor
from webapp.services.predictions import SUBJECT, SUBJECT_RULE, Ask
from webapp.wording import said

FILE_NAME = "instances.jsonl"


def send(desk: Desk, actor: Actor, ask: Ask) -> JobView:
    """Let a worker predict the rows of `ask`, however many; sets `ask.replayed` where it was sent before.

    `actor` may have been checked a while ago. Raises what `jobs.add` raises, NotSignedIn and KeyReused.
    """
    actor = people.recheck(actor)
    if not ask.rows:
        raise InvalidInput([Problem("#/instances", said("holds no rows; send at least one"))])
    if ask.subject is not None and not SUBJECT.fullmatch(ask.subject):
        raise InvalidInput([Problem("#/subject", SUBJECT_RULE)])
    column = _free_name(ask.rows)
    key = Key(ask.idempotency_key, _fingerprint(ask)) if ask.idempotency_key else None
    path = _write(desk, ask.rows, {} if ask.subject is None else {column: ask.subject})
    try:
        upload = Upload(
            path,
            FILE_NAME,
            ask.model,
            ask.version,
            {} if ask.subject is None else {"subject": column},
            ask.on_error,
            alias=ask.alias,
            strict=True,
            key=key,
        )
        job, ask.replayed = jobs.add_once(desk, actor, upload)
    finally:
        path.unlink(missing_ok=True)
    return job


def _fingerprint(ask: Ask) -> str:
    """Another one than of the same request that is waited for: that has other answers."""
    return hashlib.sha256(f"batch {ask.fingerprint}".encode()).hexdigest()


def _free_name(rows: Sequence[Any]) -> str:
    """A column for the subject that no row has a value in."""
    taken, name = {name for row in rows if isinstance(row, dict) for name in row}, "subject"
    while name in taken:
        name += "_"
    return name


def _write(desk: Desk, rows: Sequence[Any], more: dict[str, str]) -> Path:
    folder = desk.workshop.incoming
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file:
            for row in rows:
                whole = {**row, **more} if isinstance(row, dict) else row
                file.write(orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise jobs.not_kept() from error
    return Path(name)
