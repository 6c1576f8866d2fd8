"""Workers of batches killed without warning, at any moment: no row twice, none missing, and a result that says so."""

from __future__ import annotations

import csv
import io
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config import ROOT
from tests.conftest import SECRETS, close, settings
from tests.faults.conftest import Installation
from tests.server import eventually
from webapp.app import create_app
from webapp.db import User
from webapp.db.base import session
from webapp.services import jobs
from webapp.services.jobs.rows import JobView
from webapp.services.people import Actor

ROWS, KILLS = 24_000, 4
HEADING = "sepal_length,sepal_width,petal_length,petal_width,case\n"


@pytest.fixture
def desk_of(installation: Installation) -> Iterator[tuple[Flask, Actor]]:
    """An application over the same data as the workers, and alice."""
    app = create_app(settings(installation.folder, database_url=installation.url))
    with app.app_context():
        user = session().query(User).filter_by(username="alice").one()
        yield app, Actor(user.id, "alice", "analyst", stamp=user.stamp)
    close(app)


def start(installation: Installation, *command: str) -> subprocess.Popen[bytes]:
    flask = [sys.executable, "-m", "flask", "--app", "run", "worker"]
    environment = {**os.environ, **installation.environment, "DATA_DIR": str(installation.folder)}
    secrets = {name.upper(): value for name, value in SECRETS.items()}
    with (installation.folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [*command, *flask], cwd=ROOT, env={**environment, **secrets}, stdout=log, stderr=log
        )


def send(app: Flask, alice: Actor, folder: Path, rows: int) -> str:
    path = folder / "upload"
    lines = (f"{4.4 + n % 30 / 10:.1f},3.0,{1.1 + n % 50 / 10:.1f},0.{n % 10},row {n}\n" for n in range(rows))
    path.write_text(HEADING + "".join(lines))
    upload = jobs.Upload(path, "rows.csv", "iris", options={"subject": "case"}, on_error="row")
    return jobs.add(app.extensions["desk"], alice, upload).id


def whole(app: Flask, alice: Actor, job: JobView, installation: Installation, rows: int) -> None:
    assert (job.state, job.rows_done) == ("done", rows), job.details
    made = jobs.result(app.extensions["desk"], alice, job.id)
    data = b"".join(made.data)
    assert len(data) == made.size
    result: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))
    ledger = installation.ledger()
    ledger.check_leaves()
    kept = {r["id"]: r for r in ledger.records if r["request_id"] == job.id}
    assert [r["case"] for r in result] == [f"row {n}" for n in range(rows)]
    assert Counter(r["record"] for r in result) == Counter(kept.keys())
    assert all(kept[r["record"]]["subject"] == r["case"] for r in result)


def test_killing_workers_loses_and_doubles_no_row(
    installation: Installation, desk_of: tuple[Flask, Actor], tmp_path: Path
) -> None:
    app, alice = desk_of
    job_id, worker = send(app, alice, tmp_path, ROWS), start(installation)
    try:
        for kill in range(KILLS):
            reached = jobs.get(alice, job_id).rows_done
            eventually(
                lambda: (now := jobs.get(alice, job_id)).rows_done > reached or not now.active,  # noqa: B023
                60,
            )
            time.sleep(random.uniform(0, 0.1) * (kill + 1))
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            assert not jobs.worked_on(app.extensions["desk"])
            worker = start(installation)
        eventually(lambda: not jobs.get(alice, job_id).active, 120)
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
    whole(app, alice, jobs.get(alice, job_id), installation, ROWS)


def test_a_worker_told_to_leave_finishes_its_chunk_and_goes(sqlite: Installation, tmp_path: Path) -> None:
    app = create_app(settings(sqlite.folder))
    with app.app_context():
        user = session().query(User).filter_by(username="alice").one()
        alice = Actor(user.id, "alice", "analyst", stamp=user.stamp)
        job_id = send(app, alice, tmp_path, ROWS)
        keeper = start(sqlite, sys.executable, "-m", "webapp.keeper")
        try:
            eventually(lambda: jobs.get(alice, job_id).rows_done > 0, 60)
            keeper.terminate()
            assert keeper.wait(30) == 0
        finally:
            keeper.kill()
            keeper.wait()
        left = jobs.get(alice, job_id)
        assert not left.held and not jobs.worked_on(app.extensions["desk"])
        worker = start(sqlite)
        eventually(lambda: not jobs.get(alice, job_id).active, 60)
        worker.terminate()
        assert worker.wait(30) == 0
        whole(app, alice, jobs.get(alice, job_id), sqlite, ROWS)
    close(app)
