"""Erasure when things go wrong: killed in the middle, an older copy put back, and at full size (`--long`)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from config import ROOT
from tests.conftest import close, settings
from tests.erasing import fill, found
from tests.faults.conftest import Installation
from tests.server import eventually
from tests.services.test_erasure import EARLY, ORDER, everything, guesses
from tests.services.test_retention import under_load
from webapp import preparation
from webapp.app import create_app
from webapp.db import Event, Prediction
from webapp.db.base import session
from webapp.services import erasure
from webapp.services.people import Actor
from webapp.services.targets import Target

RECORDS = 8000
Who = Callable[[str], Actor]


def states(app: Flask) -> dict[str, int]:
    session().rollback()
    counted: dict[str, int] = {}
    for (state,) in session().query(Prediction.state):
        counted[state] = counted.get(state, 0) + 1
    return counted


@pytest.mark.timeout(120)
def test_an_erasure_that_is_killed_is_finished_by_the_next(installation: Installation) -> None:
    app = create_app(settings(installation.folder, database_url=installation.url))
    with app.app_context():
        fill(session(), RECORDS, lambda i: {"subject": "case 7", "inputs": {"said": "something"}})
        command = [sys.executable, "-m", "flask", "--app", "run", "erase", "--subject", "case 7"]
        told = {
            **os.environ,
            "DATA_DIR": str(installation.folder),
            **installation.environment,
            "DEMO": "false",
        }
        process = subprocess.Popen(
            [*command, "--basis", "lgpd-18-vi", "--yes"], cwd=ROOT, env=told, stdout=subprocess.DEVNULL
        )
        eventually(lambda: states(app).get("erased", 0) > 0, 60)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        half = states(app)
        assert half.get("active"), "it was over before it was killed"
        desk = app.extensions["desk"]
        done = erasure.erase(desk, None, Target.of(subject="case 7"), ORDER)
        assert states(app) == {"erased": RECORDS} and done.records == half["active"]
        named = [r for line in desk.journal.read(0) for r in line["records"]]
        assert {row.id for row in session().query(Prediction.id)} <= set(named)
    close(app)


def test_a_database_from_before_an_erasure_is_erased_again_before_it_serves(sqlite: Installation) -> None:
    """E3: copy, erase, put the copy back, prepare."""
    database, lock = sqlite.folder / "parecer.db", sqlite.folder / "prepare.lock"
    app = create_app(settings(sqlite.folder))
    with app.app_context():
        fill(session(), 50, lambda i: {"subject": f"somebody-{i % 5}"})
        session().connection().exec_driver_sql("SELECT 1")
        session().rollback()
        raw = app.extensions["sqlalchemy"].engine.raw_connection()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.close()
        shutil.copyfile(database, sqlite.folder.parent / "copy.db")
        erasure.erase(app.extensions["desk"], None, Target.of(subject="somebody-3"), ORDER)
        assert found(sqlite.folder, ["somebody-3"]) == []
    close(app)
    for left in sqlite.folder.glob("parecer.db-*"):
        left.unlink()
    shutil.copyfile(sqlite.folder.parent / "copy.db", database)
    assert found(sqlite.folder, ["somebody-3"])
    app = create_app(settings(sqlite.folder))
    preparation.prepare(app, lock, demos=False)
    with app.app_context():
        assert states(app) == {"active": 40, "erased": 10}
        assert session().query(Event).filter_by(kind="erasure").count() == 1
        session().rollback()
        assert found(sqlite.folder, ["somebody-3"]) == [] and found(sqlite.folder, ["somebody-2"])
        preparation.prepare(app, lock, demos=False)
        assert session().query(Event).filter_by(kind="erasure").count() == 1
    close(app)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_thousand_of_a_hundred_thousand_leave_no_byte(
    app: Flask, actor: Who, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """E1 at full size."""
    words, seconds = everything(app, app.extensions["desk"], actor, tmp_path, 100_000, 1000)
    session().rollback()
    assert found(tmp_path, words) == []
    with capsys.disabled():
        print(f"\n1000 subjects of 100,000 records erased one by one in {seconds:.1f} s")
    assert seconds <= 60


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_million_guesses_find_nothing(app: Flask, actor: Who) -> None:
    """E2 at full size."""
    guesses(app, actor("alice"), app.extensions["desk"], 1_000_000)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_year_of_records_goes_while_others_are_made(
    app: Flask, actor: Who, capsys: pytest.CaptureFixture[str]
) -> None:
    """E4 at full size."""
    begun = time.monotonic()
    longest = under_load(app, actor("alice"), app.extensions["desk"], 100_000)
    with capsys.disabled():
        print(
            f"\n100,000 records erased in {time.monotonic() - begun:.0f} s, longest wait {longest * 1000:.0f} ms"
        )
    assert EARLY and longest < 2
