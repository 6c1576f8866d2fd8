"""What others on the machine do: clear away folders, hold the database, claim to be a proxy."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pysqlite3

from tests.faults.conftest import Installation
from tests.faults.traffic import iris
from tests.server import Server, eventually, serve

PREDICT = "/api/v1/models/iris/predict"


def predict(server: Server, token: str, number: int) -> int:
    return server.ask("POST", PREDICT, {"inputs": iris(number)}, token=token)[0]


def test_a_worker_starts_and_counts_where_the_counters_were_cleared_away(
    sqlite: Installation, tmp_path: Path
) -> None:
    counts = tmp_path / "counts"
    with serve(sqlite.folder, WORKERS="1", PROMETHEUS_MULTIPROC_DIR=str(counts)) as server:
        token, [worker] = server.login("alice"), server.workers()
        shutil.rmtree(counts)
        assert server.ask("GET", "/metrics")[0] == 503
        assert predict(server, token, 1) == 200
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: server.workers() not in ([], [worker]) and server.ready(), 30)
        assert predict(server, token, 2) == 200
        status, _, lines = server.ask("GET", "/metrics")
    assert status == 200 and b'endpoint="api.predict"' in lines


def test_a_program_outside_that_holds_the_database_stops_nothing_but_writing(sqlite: Installation) -> None:
    answers: list[int] = []
    with serve(sqlite.folder, WORKERS="1") as server:
        token = server.login("alice")
        outside = pysqlite3.connect(str(sqlite.folder / "parecer.db"), isolation_level=None)
        outside.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=lambda: answers.append(predict(server, token, 1)))
        waiting.start()
        time.sleep(0.3)
        begun = time.monotonic()
        assert server.ask("GET", "/livez")[0] == 200
        seconds = time.monotonic() - begun
        time.sleep(2)
        outside.execute("ROLLBACK")
        outside.close()
        waiting.join(20)
    assert answers == [200] and seconds < 1


def test_nobody_is_believed_to_be_a_proxy_unless_told(sqlite: Installation) -> None:
    torn = {"X-Forwarded-Proto": "http", "X-Forwarded-Ssl": "on"}  # who believes them, refuses them
    with serve(sqlite.folder, WORKERS="1") as server:
        assert server.ask("GET", "/livez", headers=torn)[0] == 200
        assert server.ask("GET", "/x/livez", headers={"SCRIPT_NAME": "/x"})[0] == 404
