"""Submissions: a model file with its samples, taken in by a page or a program, and published by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.db import Submitted
from webapp.db.base import session, transaction
from webapp.db.submissions import CHOOSING, OPEN
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound, Problem, TooLarge, printable
from webapp.ml.loader import MAX_FILE
from webapp.ml.options import WISHES
from webapp.services import publishing, registry
from webapp.services.clock import new_id, now_us
from webapp.services.desk import Desk
from webapp.services.jobs import presence
from webapp.services.jobs.intake import file_name, take_in
from webapp.services.jobs.reaping import discard
from webapp.services.paging import Cursors, Page
from webapp.services.people import Actor
from webapp.services.publishing import Submission
from webapp.services.submissions.rows import SubmissionView, offered, read
from webapp.wording import said

__all__ = [
    "FILES",
    "WISHES",
    "SubmissionView",
    "Upload",
    "add",
    "cancel",
    "choose",
    "get",
    "search",
    "worked_on",
]

MAY_PUBLISH = frozenset({"publisher", "admin"})
#: In an upload, and in the folder of a submission.
FILES = ("model", "data", "test")
PREFIX = "sub"
LONGEST_TARGET = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """Files that have arrived (by their part in the submission: path, and name as sent), and what is to be made."""

    model: str
    files: Mapping[str, tuple[Path, str]]
    target: str
    title: str = ""
    description: str = ""
    schema: dict[str, Any] = field(default_factory=dict)
    card: dict[str, str] = field(default_factory=dict)
    promote: bool = False
    #: Which engine is to answer, of `ml.options.WISHES`.
    engine: str = "auto"


def add(desk: Desk, actor: Actor, upload: Upload) -> SubmissionView:
    """Take a submission in and let a worker inspect it.

    Raises NotAllowed, TooMany, NotFound, NotReady, TooLarge, BadArtifact and InvalidInput (`#/name`, `#/model`,
    `#/data`, `#/target`, `#/title`, `#/description`, `#/promote`, `#/engine`).
    """
    if actor.role not in MAY_PUBLISH:
        raise NotAllowed(said("Only publishers and admins publish models; ask one of them."))
    desk.quota.spend(actor.id)
    _refuse(actor, upload)
    submission_id = new_id(PREFIX)
    folder = desk.workshop.job(submission_id)
    files = {name: (file_name(told), path.stat().st_size) for name, (path, told) in upload.files.items()}
    take_in(desk, folder, {path: name for name, (path, _) in upload.files.items()})
    now = now_us()
    wishes = {
        name: getattr(upload, name)
        for name in ("target", "title", "description", "schema", "card", "promote", "engine")
    }
    try:
        with transaction() as s:
            s.add(
                Submitted(
                    id=submission_id,
                    user_id=actor.id,
                    model=upload.model,
                    files=orjson.dumps(files).decode(),
                    wishes=orjson.dumps(wishes).decode(),
                    created_us=now,
                    moved_us=now,
                )
            )
    except BaseException:
        discard(folder)
        raise
    _queue(desk, submission_id)
    return get(actor, submission_id)


def search(actor: Actor, *, limit: int, key: str, cursor: str | None = None) -> Page[SubmissionView]:
    """Submissions that `actor` may see, newest first, from `cursor` (signed with `key`) on; raises Malformed."""
    cursors = Cursors(key, actor, "submissions")
    turn = cursors.open(cursor)
    conditions: list[Any] = [] if actor.sees_all else [Submitted.user_id == actor.id]
    return cursors.page(read(*conditions, limit=limit + 1, turn=turn), limit, turn, lambda one: (one.seq,))


def get(actor: Actor, submission_id: str) -> SubmissionView:
    """One submission. Raises NotFound alike for one that is absent and one that is somebody else's."""
    session().rollback()
    found = read(Submitted.id == _clean(submission_id))
    if not found or not (actor.sees_all or found[0].user_id == actor.id):
        raise _absent()
    return found[0]


def cancel(desk: Desk, actor: Actor, submission_id: str) -> SubmissionView:
    """End a submission before it is a version. Owners and admins may. Raises NotFound, NotAllowed, Conflict."""
    with transaction() as s:
        row = _own(s, actor, submission_id)
        if row.user_id != actor.id and actor.role != "admin":
            raise NotAllowed(said("Only who sent a submission, or an admin, may cancel it."))
        if row.state not in (*OPEN, CHOOSING):
            raise Conflict(said("This submission has ended already."))
        if row.lease_us is not None and presence.alive(desk.workshop.workers, row.worker or ""):
            row.cancel = True  # its worker looks for it, and ends the inspection
        else:
            row.state, row.finished_us = "cancelled", now_us()
            row.worker = row.lease_us = None
    found = get(actor, submission_id)
    if found.finished_us is not None:
        discard(desk.workshop.job(found.id))
    return found


def choose(desk: Desk, actor: Actor, submission_id: str, engine: str) -> SubmissionView:
    """Pick the engine that a submission is published with, and let a worker do so. Owners and admins may.

    `engine` is one that its report offers, or auto. Raises NotFound, NotAllowed, Conflict where no engine is waited
    for, InvalidInput (`#/engine`).
    """
    with transaction() as s:
        row = _own(s, actor, submission_id)
        if actor.role not in MAY_PUBLISH or (row.user_id != actor.id and actor.role != "admin"):
            raise NotAllowed(
                said("Only the publisher who sent a submission, or an admin, may pick its engine.")
            )
        if row.state != CHOOSING:
            raise Conflict(
                said("This submission does not wait for an engine to be picked; its page says how far it is.")
            )
        known = ["auto", *offered(orjson.loads(row.report or "{}"))]
        if engine not in known:
            raise InvalidInput(
                [Problem("#/engine", said("must be one of those offered: {names}", names=", ".join(known)))]
            )
        row.wishes = orjson.dumps(orjson.loads(row.wishes) | {"engine": engine}).decode()
        row.state, row.moved_us = "waiting", now_us()
    _queue(desk, submission_id)
    return get(actor, submission_id)


def worked_on(desk: Desk) -> bool:
    """Whether there is a worker to take up submissions."""
    return presence.any_alive(desk.workshop.workers)


def handed_in(desk: Desk, found: SubmissionView) -> Submission:
    """A submission on file, as publishing takes it."""
    folder, wishes = desk.workshop.job(found.id), found.wishes
    return Submission(
        name=found.model,
        filename=found.files["model"][0],
        model=folder / "model",
        train=folder / "data",
        test=folder / "test" if "test" in found.files else None,
        target=wishes["target"],
        title=wishes["title"],
        description=wishes["description"],
        card=wishes["card"],
        edits=wishes["schema"],
        promote=wishes["promote"],
        engine=found.engine,
    )


def _refuse(actor: Actor, upload: Upload) -> None:
    lacking = [
        Problem(f"#/{name}", said("send a file under this name"))
        for name in FILES[:2]
        if name not in upload.files
    ]
    if not upload.target or len(upload.target) > LONGEST_TARGET or printable(upload.target) != upload.target:
        lacking.append(Problem("#/target", said("is needed: the column of the data that the model predicts")))
    if lacking:
        raise InvalidInput(lacking)
    paths = {name: path for name, (path, _) in upload.files.items()}
    publishing.refuse(
        Submission(
            name=upload.model,
            filename=upload.files["model"][1],
            model=paths["model"],
            train=paths["data"],
            target=upload.target,
            title=upload.title,
            description=upload.description,
            card=upload.card,
            engine=upload.engine,
        )
    )
    registry.refuse_to_publish(upload.model, actor, promote=upload.promote)
    if large := [name for name, path in paths.items() if path.stat().st_size > MAX_FILE]:
        raise TooLarge(
            said(
                "The file “{name}” has more than {most} MB; give a smaller model, or fewer rows.",
                name=large[0],
                most=MAX_FILE >> 20,
            )
        )


def _queue(desk: Desk, submission_id: str) -> None:
    with suppress(Exception):  # the queue may be away: whoever looks after submissions sends it again
        desk.workshop.queue.put(submission_id)


def _own(s: Session, actor: Actor, submission_id: str) -> Submitted:
    row = s.scalar(select(Submitted).where(Submitted.id == _clean(submission_id)).with_for_update())
    if row is None or not (actor.sees_all or row.user_id == actor.id):
        raise _absent()
    return row


def _clean(submission_id: str) -> str:
    return submission_id if submission_id.isascii() and submission_id.isprintable() else ""


def _absent() -> NotFound:
    return NotFound(said("There is no such submission, or it is not yours to see."))
