"""The worker that predicts batches."""

from __future__ import annotations

import os
import signal
import threading
import time

import click
from flask import current_app
from flask.cli import with_appcontext
from structlog import get_logger

from webapp import lines
from webapp.doors import desk
from webapp.errors import Conflict
from webapp.ml.memory import bound_memory
from webapp.services.backups.serving import Serving
from webapp.services.jobs.working import work

log = get_logger("parecer")
#: Seconds between looks whether whoever started this worker is still there.
LOOK = 0.5
NICENESS = 5


@click.command("worker")
@click.option("--attached", is_flag=True, help="Leave when the process that started this one is gone.")
@with_appcontext
def worker(attached: bool) -> None:
    """Predict batches, until told to leave; a chunk that is under way is finished."""
    try:
        held = Serving(current_app.extensions["installation"].data_dir)
    except Conflict as error:
        raise click.ClickException(error.detail) from None
    lines.tell_crashes()
    app, leaving = current_app._get_current_object(), threading.Event()  # type: ignore[attr-defined]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leaving.set())
    if attached:
        threading.Thread(target=_leave_with, args=(os.getppid(), leaving), daemon=True).start()
    os.nice(NICENESS)  # people who wait for a page come first
    bound_memory()
    app.extensions["panic"] = leaving.set  # the disk has failed: a successor opens the database anew
    app.extensions["meter_reader"].follow("worker")
    log.info("worker", pid=os.getpid())
    with held:
        work(desk(), app.app_context, leaving, _tell)
    app.extensions["meter_reader"].read()


def _tell(event: str, **facts: object) -> None:
    (log.error if "error" in facts else log.info)(event, **facts)


def _leave_with(parent: int, leaving: threading.Event) -> None:
    while os.getppid() == parent and not leaving.is_set():
        time.sleep(LOOK)
    leaving.set()
