"""How soon what was answered is sealed."""

from __future__ import annotations

import statistics
import threading
import time
from bisect import bisect
from itertools import count
from typing import NamedTuple

import pytest
from sqlalchemy import select

from tests.faults.conftest import Installation
from tests.faults.traffic import Client, iris, running, stop
from tests.server import Server, serve
from webapp.db import Checkpoint, Leaf, Prediction

CLIENTS, LATEST = 6, 60.0


class Lag(NamedTuple):
    """Seconds from each record to the checkpoint that covers it, and how many records were not sealed at most."""

    records: int
    median: float
    longest: float
    behind: int


def lag(installation: Installation) -> Lag:
    engine = installation.engine()
    with engine.connect() as c:
        made = c.execute(
            select(Leaf.seq, Prediction.finished_us)
            .outerjoin(Prediction, Prediction.id == Leaf.record_id)
            .order_by(Leaf.seq)
        ).all()
        checkpoints = c.execute(select(Checkpoint.size, Checkpoint.at_us).order_by(Checkpoint.size)).all()
    engine.dispose()
    times = sorted(row.finished_us or 0 for row in made)
    waits, behind, start = [], 0, 0
    for size, at in checkpoints:
        waits += [(at - row.finished_us) / 1e6 for row in made[start:size] if row.finished_us]
        behind = max(behind, bisect(times, at) - start)  # just before this one was stored
        start = size
    assert start == len(made), f"{len(made) - start} entries were never sealed"
    return Lag(len(waits), statistics.median(waits), max(waits), behind)


def batches(server: Server, token: str, over: threading.Event) -> None:
    """Requests of many rows, one after the other."""
    body = {"instances": [iris(n) for n in range(400)]}
    while not over.is_set():
        server.ask("POST", "/api/v1/models/iris/predict", body, token=token)


def traffic(installation: Installation, seconds: float) -> Lag:
    over = threading.Event()
    environment = installation.environment | {"JOB_WORKER": "true"}
    with serve(installation.folder, **environment) as server:
        token = server.login("alice")
        clients = [Client(server, "alice", token, "iris", count(i, CLIENTS)) for i in range(CLIENTS)]
        many = threading.Thread(target=batches, args=[server, token, over])
        with running(clients, 60):
            many.start()
            time.sleep(seconds)
            over.set()
            many.join(30)
            stop(clients)
        time.sleep(8)  # so that the last ones are sealed, as they would be at rest
    return lag(installation)


def test_what_was_answered_is_sealed_soon(installation: Installation) -> None:
    found = traffic(installation, 4)
    print(found)
    assert found.longest < LATEST


@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_was_answered_at_full_traffic_is_sealed_soon(installation: Installation) -> None:
    found = traffic(installation, 60)
    print(
        f"\n{installation.kind}: {found.records} records in 60 s of full traffic, sealed after {found.median:.1f} s"
        f" (median), {found.longest:.1f} s (most); at most {found.behind} not sealed at a time"
    )
    assert found.longest < LATEST
