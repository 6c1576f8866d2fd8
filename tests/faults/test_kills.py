"""Workers killed without warning, at full traffic: nothing acknowledged is lost, nothing is kept twice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import Installation
from tests.faults.evidence import opened, told
from tests.faults.traffic import Client, acknowledged, replies, running
from tests.server import Server, eventually, serve

PREDICTIONS, KILLS, CLIENTS, WORKERS = 10_000, 20, 12, 3
STAGE = PREDICTIONS // (KILLS + 1) + 1


@pytest.mark.timeout(600)
def test_killing_workers_loses_and_doubles_nothing(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = [threading.Event() for _ in range(KILLS + 1)]
    environment = installation.environment | {"JOB_WORKER": "true", "SEAL_SECONDS": "0.5"}
    with serve(installation.folder, WORKERS=str(WORKERS), **environment) as server:
        token, begun = server.login("alice"), time.monotonic()
        clients = [Client(server, "alice", token, "iris", _numbers(i, stages)) for i in range(CLIENTS)]
        with running(clients, 300):
            stages[0].set()
            for kill in range(1, KILLS + 1):
                eventually(lambda: sum(c.acknowledged for c in clients) >= kill * STAGE - CLIENTS, 200)  # noqa: B023
                stages[kill].set()
                _kill_one(server)
        seconds = time.monotonic() - begun
    acks, seen = acknowledged(clients), replies(clients)
    ledger = installation.ledger()
    ledger.check(acks)
    assert len(acks) == len(ledger.records) == PREDICTIONS
    with opened(installation) as evidence:
        assert told(evidence.verify(evidence.seal().note)) == ""
    wait = max(c.longest_wait for c in clients)
    with capsys.disabled():
        print(
            f"\n{len(acks)} acknowledged in {seconds:.0f} s, {KILLS} workers killed, {seen['unknown']} replies"
            f" unknown, {seen['503']} refused, longest wait for an answer {wait:.2f} s"
        )


def _numbers(first: int, stages: list[threading.Event]) -> Iterator[int]:
    """Every CLIENTS-th number; those of a stage are given out once its kill is due, so that it hits traffic."""
    for n in range(first, PREDICTIONS, CLIENTS):
        stages[n // STAGE].wait(60)
        yield n


def _kill_one(server: Server) -> None:
    """Kill any worker, once another one can go on; asking whether we are ready lets a new one show itself."""
    eventually(lambda: server.ready() and len(server.serving()) > 1, 60)
    time.sleep(random.uniform(0, 0.2))
    os.kill(random.choice(server.serving()), signal.SIGKILL)
