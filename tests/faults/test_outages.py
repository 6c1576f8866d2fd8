"""Disk full, database away, order to stop: no answer without a record, and service again by itself."""

from __future__ import annotations

import errno
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.conftest import _admin, need, password
from tests.faults.conftest import Installation, _sqlite
from tests.faults.evidence import opened, told
from tests.faults.traffic import Client, acknowledged, iris, replies, running, stop
from tests.server import Server, eventually, serve
from webapp.db import Leaf, Log
from webapp.services import sealing

CLIENTS = 6


@pytest.fixture
def small_disk(sqlite_seed: Path, tmp_path: Path) -> Iterator[Installation]:
    """An installation on a file system of 48 MiB of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        need("mounting a small tmpfs needs root; run the tests in a container as root")
    try:
        yield _sqlite(sqlite_seed, folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _clients(server: Server, token: str) -> list[Client]:
    return [Client(server, "alice", token, "iris", count(i, CLIENTS)) for i in range(CLIENTS)]


def _answered(clients: list[Client]) -> int:
    return sum(c.acknowledged for c in clients)


def _refused(clients: list[Client]) -> int:
    return replies(clients)["503"]


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                for _ in range(1 << 13):
                    file.write(b"\1" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC


def _await_answers(clients: list[Client], seconds: float) -> float:
    before = _answered(clients)
    return eventually(lambda: _answered(clients) > before + 20, seconds)


def test_a_full_disk_refuses_predictions_and_nothing_else(
    small_disk: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(small_disk.folder, JOB_WORKER="true", SEAL_SECONDS="0.5") as server:
        token = server.login("alice")
        clients = _clients(server, token)
        with running(clients, 90):
            _await_answers(clients, 20)
            workers = server.serving()
            _fill(small_disk.folder / "ballast")
            eventually(lambda: _refused(clients) > 100, 40)
            eventually(
                lambda: '"duty":"seal_record"' in server.log.read_text(), 20
            )  # told where nothing is to be stored
            seen = {path: server.ask("GET", path, token=token)[0] for path in READING}
            seen["POST /api/v1/login"] = _login_status(server)
            assert set(server.serving()) >= set(workers), server.log.read_text()[-4000:]
            for worker in workers:  # their successors have to start on the full disk
                os.kill(worker, signal.SIGKILL)
            eventually(server.ready, 30)
            (small_disk.folder / "ballast").unlink()
            seconds = _await_answers(clients, 10)
            stop(clients)
            sealed = eventually(lambda: _unsealed(small_disk) == 0, 30)
    small_disk.ledger().check(acknowledged(clients))
    with opened(small_disk) as evidence:
        assert told(evidence.verify()) == "" and sealing.log().trouble == ""
    with capsys.disabled():
        print(
            f"\nfull disk: {_refused(clients)} refused, while {seen}; answers again after {seconds:.1f} s, "
            f"seals after {sealed:.1f} s"
        )
    assert {seen[path] for path in READING} == {200}


def _unsealed(installation: Installation) -> int:
    engine = installation.engine()
    with engine.connect() as c:
        leaves, size = c.scalar(select(func.count()).select_from(Leaf)), c.scalar(select(Log.size))
    engine.dispose()
    return int(leaves or 0) - int(size or 0)


READING = ("/api/v1/models", "/api/v1/predictions", "/livez", "/readyz")


def _login_status(server: Server) -> int:
    return server.ask("POST", "/api/v1/login", {"username": "bob", "password": password("bob")})[0]


def test_a_database_that_went_away_is_taken_up_again(
    postgresql: Installation, postgres: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = postgresql.url.rsplit("/", 1)[-1].partition("?")[0]
    with serve(postgresql.folder, **postgresql.environment) as server:
        clients, workers = _clients(server, server.login("alice")), server.workers()
        with running(clients, 60):
            for _ in range(5):
                _await_answers(clients, 20)
                _cut(postgres, name)
            _await_answers(clients, 20)
            _admin(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            _cut(postgres, name)
            eventually(lambda: _refused(clients) > 100, 20)
            assert server.ask("GET", "/readyz")[0] == 503
            _admin(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            seconds = _await_answers(clients, 10)
            stop(clients)
        assert server.workers() == workers
    postgresql.ledger().check(acknowledged(clients))
    seen = replies(clients)
    assert set(seen) <= {"200", "503"}
    with capsys.disabled():
        print(f"\ndatabase away: {dict(seen)}; answers again after {seconds:.1f} s")


def _cut(url: str, name: str) -> None:
    _admin(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def test_an_order_to_stop_finishes_what_is_in_flight(
    sqlite: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [iris(n) for n in range(400)]
    outcomes: list[Any] = []

    def ask(connection: http.client.HTTPConnection) -> None:
        try:
            answer = connection.getresponse()
            outcomes.append((answer.status, json.loads(answer.read())))
        except (OSError, http.client.HTTPException) as error:
            outcomes.append((repr(error), {}))
        finally:
            connection.close()

    with serve(sqlite.folder) as server:
        headers = {"Authorization": f"Bearer {server.login('alice')}", "Content-Type": "application/json"}
        connections = [server.connect() for _ in range(50)]
        for connection in connections:
            connection.connect()
        time.sleep(0.5)
        for connection in connections:
            connection.request(
                "POST", "/api/v1/models/iris/predict", json.dumps({"instances": rows}), headers
            )
        threads = [threading.Thread(target=ask, args=[c]) for c in connections]
        begun = time.monotonic()
        server.process.terminate()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(40)
        assert server.process.wait(30) == 0
        seconds = time.monotonic() - begun
    with capsys.disabled():
        print(
            f"\nstop: {sorted({str(o[0]) for o in outcomes})} for {len(outcomes)} requests, gone after {seconds:.1f} s"
        )
    told = [p["id"] for status, body in outcomes if status == 200 for p in body["predictions"]]
    assert {status for status, _ in outcomes} <= {200, 503}
    assert len(outcomes) == 50 and set(told) <= set(sqlite.ledger().by_id)
