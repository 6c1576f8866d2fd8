"""A worker's day: take jobs one after the other, and do what has to be done every so often."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Event, Thread

from webapp.services.desk import Desk
from webapp.services.jobs.presence import Presence
from webapp.services.jobs.rows import JobView
from webapp.services.jobs.running import run
from webapp.services.periodic import PERIODIC, Duty, apart
from webapp.services.submissions.rows import SubmissionView
from webapp.services.submissions.running import run as run_submission

#: Seconds between looks into an empty queue: at first, and at most.
SOON, LATE = 0.05, 0.5
#: Seconds after which a duty that raised is tried again, if it is not due later anyway.
AFTER_TROUBLE = 5.0
#: Seconds between looks whether anything is due, at most.
LOOK = 0.5

Tell = Callable[..., None]
#: How the id of a job begins → what is done with it.
KINDS: dict[str, Callable[..., JobView | SubmissionView | None]] = {"job": run, "sub": run_submission}


def work(
    desk: Desk, inside: Callable[[], AbstractContextManager[object]], leaving: Event, tell: Tell
) -> None:
    """Work until `leaving` is set. `inside` makes a context in which the database can be used; `tell` logs."""
    presence = Presence(desk.workshop.workers)
    helpers = [
        Thread(target=_keep_time, args=(desk, inside, leaving, tell, duties), daemon=True)
        for duties in (PERIODIC, *apart(desk))
    ]
    for helper in helpers:
        helper.start()

    def take(job_id: str) -> None:
        begun = time.monotonic()
        with inside():
            try:
                job = KINDS[job_id.partition("_")[0]](desk, job_id, presence.id, leaving.is_set)
            except Exception as error:  # noqa: BLE001 - the edge of the worker: the next job must get its turn
                tell("job failed", job=job_id, error=repr(error))
                return
        if job is not None:
            _tell(tell, job, time.monotonic() - begun)

    pause = SOON
    try:
        while not leaving.is_set():
            try:
                worked = desk.workshop.queue.serve(take)
            except Exception as error:  # noqa: BLE001 - the queue may be away for a while
                tell("queue", error=repr(error))
                worked, pause = False, LATE
            if worked:
                pause = SOON
            else:
                leaving.wait(pause)
                pause = min(pause * 1.2, LATE)
    finally:
        presence.end()
    for helper in helpers:
        helper.join(5)


def _tell(tell: Tell, job: JobView | SubmissionView, seconds: float) -> None:
    if isinstance(job, SubmissionView):
        tell(
            "submission",
            submission=job.id,
            model=job.model,
            version=job.version,
            state=job.state,
            attempt=job.attempt,
            seconds=round(seconds, 3),
        )
        return
    tell(
        "job",
        job=job.id,
        state=job.state,
        rows=job.n_rows,
        done=job.rows_done,
        refused=job.rows_refused,
        attempt=job.attempt,
        seconds=round(seconds, 3),
    )


def _keep_time(
    desk: Desk,
    inside: Callable[[], AbstractContextManager[object]],
    leaving: Event,
    tell: Tell,
    duties: Sequence[tuple[float, Duty]],
) -> None:
    due = [0.0] * len(duties)
    while not leaving.is_set():
        for i, (seconds, duty) in enumerate(duties):
            if time.monotonic() < due[i] or leaving.is_set():
                continue
            pause = seconds
            try:
                with inside():
                    duty(desk)
            except Exception as error:  # noqa: BLE001 - it is tried again next time
                tell("periodic", duty=duty.__name__, error=repr(error))
                pause = max(seconds, AFTER_TROUBLE)
            due[i] = time.monotonic() + pause
        leaving.wait(min(LOOK, *(seconds for seconds, _ in duties)))
