"""What a worker does with a submission: have it inspected apart, and publish what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from webapp.db.commits import Outrun
from webapp.errors import (
    BadArtifact,
    InvalidInput,
    ModelFailed,
    NotAllowed,
    NotFound,
    NotReady,
    NotSignedIn,
    Problem,
)
from webapp.ml.chamber import Refused
from webapp.ml.packaging import Package
from webapp.services import people, publishing
from webapp.services.desk import Desk
from webapp.services.jobs.reaping import discard
from webapp.services.publishing import Inspection
from webapp.services.registry import VersionInfo
from webapp.services.submissions import MAY_PUBLISH, handed_in, rows
from webapp.services.submissions.rows import SubmissionView
from webapp.wording import said

#: Between two looks whether the submission is still ours to work on.
LOOK_SECONDS = 0.5


class Leaving(Exception):
    """The worker has been told to leave; the submission is somebody else's from here."""


def run(desk: Desk, submission_id: str, worker: str, leaving: Callable[[], bool]) -> SubmissionView | None:
    """Publish a submission, put it down for its engine to be picked, or refuse it with the reasons.

    A worker that has to leave gives it back. Returns the submission as it then stands, None if there was nothing to
    do. What nobody expected is raised, after the submission has been given back.
    """
    found = rows.claim(submission_id, worker)
    if found is None:
        return None
    try:
        _publish(desk, found, leaving)
    except (Leaving, NotSignedIn):  # or the account was changed just now, and is looked at anew
        rows.let_go(found.id, found.attempt, tries=0)
        desk.workshop.queue.put(found.id)
    except Outrun:
        _outrun(found)
    except InvalidInput as error:
        rows.end(found, "refused", error.problems)
    except (BadArtifact, ModelFailed, NotAllowed, NotFound) as error:
        report = error.report if isinstance(error, Refused) else None
        rows.end(found, "refused", [Problem("#", error.detail)], report)
    except NotReady:
        rows.end(found, "failed", [Problem("#", _not_kept())])
        raise
    except BaseException:
        rows.let_go(found.id, found.attempt)
        raise
    finally:
        ended = rows.read_one(found.id)
        if ended is not None and not (ended.open or ended.choosing):
            discard(desk.workshop.job(found.id))
    return ended


def _publish(desk: Desk, found: SubmissionView, leaving: Callable[[], bool]) -> None:
    folder = desk.workshop.job(found.id)
    if not all((folder / name).is_file() for name in found.files):
        raise BadArtifact(said("The files of this submission are gone; send it again."))
    submission = handed_in(desk, found)
    go_on, tell = _looking(found, leaving), lambda stage: rows.move(found, stage)
    made = publishing.inspect(submission, Inspection(desk.workshop.limits, folder, go_on, tell))
    if submission.engine == "ask":
        rows.rest(found, made.manifest)
        return
    actor = people.on_behalf(found.user_id)  # as they are by now
    if actor.role not in MAY_PUBLISH:
        raise NotAllowed(said("Whoever sent this may not publish models any more."))
    publishing.keep(desk.store, submission, made, actor, partial(_publish_row, found))


def _publish_row(found: SubmissionView, s: Session, made: VersionInfo, package: Package) -> None:
    rows.publish(s, found, made, package.manifest)


def _looking(found: SubmissionView, leaving: Callable[[], bool]) -> Callable[[], None]:
    """What looks whether to go on: for the wish to leave at every call, into the database twice a second."""
    due = time.monotonic() + LOOK_SECONDS

    def go_on() -> None:
        nonlocal due
        if leaving():
            raise Leaving
        if time.monotonic() > due:
            rows.hold(found)
            due = time.monotonic() + LOOK_SECONDS

    return go_on


def _outrun(found: SubmissionView) -> None:
    now = rows.read_one(found.id)
    if now is not None and now.cancel and now.attempt == found.attempt and now.open:
        rows.end(now, "cancelled")


def _not_kept() -> str:
    return said("The disk of this server takes no more; tell the operator, and send it again later.")
