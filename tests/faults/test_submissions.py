"""Workers killed over a submission, and its process killed: published exactly once or refused, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from tests.faults.conftest import Installation
from tests.faults.test_batches import desk_of, start
from tests.handing_in import flowers
from tests.server import eventually
from webapp.db import User
from webapp.db.base import session
from webapp.services import registry, submissions
from webapp.services.people import Actor
from webapp.services.submissions import SubmissionView, Upload, rows

__all__ = ["desk_of"]

#: What a submission is at when its worker is killed.
STAGES = ("starting", "converting", "writing")
SECONDS = 120.0


def send(app: Flask, folder: Path, name: str) -> str:
    """Hand flowers in as paula; returns the id."""
    session().rollback()
    user = session().query(User).filter_by(username="paula").one()
    paths = {part: folder / f"sent-{part}" for part in ("model", "data")}
    for path, data in zip(paths.values(), flowers(), strict=True):
        path.write_bytes(data)
    files = {"model": (paths["model"], "f.skops"), "data": (paths["data"], "f.csv")}
    paula = Actor(user.id, "paula", "publisher", stamp=user.stamp)
    return submissions.add(app.extensions["desk"], paula, Upload(name, files, "target")).id


def now(submission: str) -> SubmissionView:
    found = rows.read_one(submission)
    assert found is not None
    return found


def until(submission: str, true: Callable[[SubmissionView], bool]) -> SubmissionView:
    eventually(lambda: true(now(submission)), SECONDS)
    return now(submission)


def children(process: int) -> list[int]:
    """Ids of the processes that a process has started, from any of its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        found += map(int, task.read_text().split())
    return found


def gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def leftovers(app: Flask) -> list[str]:
    """Folders of submissions, and halves of versions."""
    desk = app.extensions["desk"]
    found = [*desk.workshop.folder.glob("sub_*"), *desk.store.root.glob("*/.half-*")]
    return [path.name for path in found]


def past(stage: str) -> Callable[[SubmissionView], bool]:
    """Whether a submission is at a stage, or has been."""
    order = list(rows.STAGES)
    return lambda one: not one.open or order.index(one.stage) >= order.index(stage)


def test_a_submission_whose_worker_is_killed_is_published_once(
    installation: Installation, desk_of: tuple[Flask, Actor], tmp_path: Path
) -> None:
    app, attempts = desk_of[0], []
    worker = start(installation)
    try:
        for number, stage in enumerate(STAGES, 1):
            sent = send(app, tmp_path, "flowers")
            until(sent, past(stage))
            inner = children(worker.pid)
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
            eventually(lambda started=inner: all(map(gone, started)), 10)  # type: ignore[misc]
            worker = start(installation)
            ended = until(sent, lambda one: not one.open)
            assert (ended.state, ended.version) == ("published", str(number)), ended.errors
            attempts.append(ended.attempt)
            eventually(lambda: not leftovers(app), 30)
    finally:
        end(worker)
    assert max(attempts) == 2 and attempts.count(2) >= 2, attempts
    assert [v.number for v in registry.list_versions("flowers", actor=None)] == ["3", "2", "1"]
    assert app.extensions["desk"].store.versions("flowers") == [1, 2, 3]
    ledger = installation.ledger()
    ledger.check_leaves()


def test_a_submission_whose_process_is_killed_is_refused_and_the_next_is_published(
    installation: Installation, desk_of: tuple[Flask, Actor], tmp_path: Path
) -> None:
    app = desk_of[0]
    worker = start(installation)
    try:
        sent = send(app, tmp_path, "flowers")
        until(sent, past("loading"))
        for process in children(worker.pid):
            os.kill(process, signal.SIGKILL)
        ended = until(sent, lambda one: not one.open)
        assert (ended.state, ended.version, ended.attempt) == ("refused", None, 1)
        assert "ended the inspection" in ended.errors[0].detail
        assert app.extensions["desk"].store.versions("flowers") == []
        again = until(send(app, tmp_path, "flowers"), lambda one: not one.open)
        assert (again.state, again.version) == ("published", "1")
        assert worker.poll() is None
        eventually(lambda: not leftovers(app), 30)
    finally:
        end(worker)


def end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait(10)
