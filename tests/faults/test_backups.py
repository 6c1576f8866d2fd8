"""Backups under load, interrupted, and on disks that are full or cannot be written to."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from config import ROOT
from tests.conftest import _admin, _database
from tests.faults.conftest import Installation
from tests.faults.traffic import Client, acknowledged, running, stop
from tests.server import eventually, serve

CLIENTS, BACKUPS = 8, 3
FLASK = [sys.executable, "-m", "flask", "--app", "run"]


def flask(folder: Path, url: str, *words: str | Path, status: int = 0) -> str:
    """Run a command on an installation; returns what it said."""
    environment = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": url, "DEMO": "false"}
    done = subprocess.run(
        [*FLASK, *map(str, words)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def nothing_yet(installation: Installation, folder: Path) -> Iterator[Installation]:
    """Another installation, on the same kind of database, in which nothing is."""
    folder.mkdir()
    if make_url(installation.url).get_backend_name() == "sqlite":
        yield Installation(folder, f"sqlite:///{folder / 'parecer.db'}")
        return
    name = f"parecer_test_{secrets.token_hex(6)}"
    _admin(installation.url, f"CREATE DATABASE {name}")
    try:
        yield Installation(folder, _database(installation.url, name))
    finally:
        _admin(installation.url, f"DROP DATABASE {name} WITH (FORCE)")


def leaves(installation: Installation) -> list[str]:
    engine = installation.engine()
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT record_id FROM leaves ORDER BY seq")))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("backups", [BACKUPS, pytest.param(10, marks=pytest.mark.long)])
def test_backups_under_load_hold_a_beginning_of_the_record(
    installation: Installation, tmp_path: Path, capsys: pytest.CaptureFixture[str], backups: int
) -> None:
    made: list[tuple[Path, int, str]] = []
    with serve(installation.folder, JOB_WORKER="true", **installation.environment) as server:
        token = server.login("alice")
        clients = [Client(server, "alice", token, "iris", range(i, 10**6, CLIENTS)) for i in range(CLIENTS)]
        with running(clients, 400):
            eventually(lambda: sum(c.acknowledged for c in clients) > 500, 60)
            usual = max(c.longest_wait for c in clients)
            for client in clients:
                client.longest_wait = 0.0
            for n in range(backups):
                before = sum(c.acknowledged for c in clients)
                folder = tmp_path / f"backup-{n}"
                made.append((folder, before, flask(installation.folder, installation.url, "backup", folder)))
            longest = max(c.longest_wait for c in clients)
            said = flask(installation.folder, installation.url, "restore", made[0][0], "--yes", status=1)
            assert "stop its web server" in said
            stop(clients)
    live, ids = leaves(installation), {a.answer["id"] for a in acknowledged(clients)}
    for n, (folder, before, said) in enumerate(made):
        [printed] = [line.strip() for line in said.splitlines() if line.startswith("  ") and len(line) > 80]
        with nothing_yet(installation, tmp_path / f"new-{n}") as other:
            flask(other.folder, other.url, "restore", folder, "--yes", "--checkpoint", printed)
            flask(other.folder, other.url, "audit", "verify", "--checkpoint", printed)
            restored = leaves(other)
            kept = json.loads((folder / "manifest.json").read_text())
            assert restored[: kept["entries"]] == live[: kept["entries"]]
            records = [name for name in restored if name.startswith("pred_")]
            assert set(records) <= ids, "a record that nobody was told of, and whose client was told to stop"
            assert len(records) >= before
    with capsys.disabled():
        print(
            f"\n{backups} backups under {len(ids)} predictions of {CLIENTS} clients, all restored; longest wait "
            f"{longest * 1000:.0f} ms during them, {usual * 1000:.0f} ms before"
        )


def test_a_backup_that_is_interrupted_leaves_nothing(sqlite: Installation, tmp_path: Path) -> None:
    target = tmp_path / "there" / "backup"
    target.parent.mkdir()
    environment = {**os.environ, "DATA_DIR": str(sqlite.folder)}
    for number in (signal.SIGINT, signal.SIGTERM):
        for _ in range(
            5
        ):  # where this process does not get its turn, a small backup is over before the signal
            # A shell's background job ignores SIGINT, and so would what it starts.
            command = ["env", "--default-signal=INT", *FLASK, "backup", str(target)]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
            eventually(lambda: process.poll() is not None or any(target.parent.iterdir()), 60)  # noqa: B023
            process.send_signal(number)
            if process.wait(30) != 0:
                break
            shutil.rmtree(target)
        assert process.returncode == 1
        assert list(target.parent.iterdir()) == []


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to mount a small disk: run as root, in a container with CAP_SYS_ADMIN")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_and_left_as_it_was(sqlite: Installation, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 1) as small:
        for left in (100_000, 500_000):  # full at the database, and at the models
            (small / "filler").write_bytes(b"x" * ((1 << 20) - left))
            said = flask(sqlite.folder, sqlite.url, "backup", small / "backup", status=1)
            assert said.startswith("Error: Nothing was backed up: ") and said.count("\n") == 1, said
            assert [p.name for p in small.iterdir()] == ["filler"]
        flask(sqlite.folder, sqlite.url, "backup", tmp_path / "backup")
        (small / "data").mkdir()
        said = flask(
            small / "data",
            f"sqlite:///{small}/data/parecer.db",
            "restore",
            tmp_path / "backup",
            "--yes",
            status=1,
        )
        assert "make room, and restore again" in said
        assert not list((small / "data").glob("*restor*"))


def test_a_target_that_cannot_be_written_to_is_said(sqlite: Installation, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 8) as small:
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        said = flask(sqlite.folder, sqlite.url, "backup", small / "backup", status=1)
        assert "Read-only file system" in said and said.count("\n") == 1
