"""One key from many sides at once, while workers die or not: one record, and the same bytes for everybody."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.faults.conftest import Installation
from tests.faults.traffic import iris
from tests.server import Server, eventually, serve

PREDICT = "/api/v1/models/iris/predict"
FEW, SIDES = 20, 20
LONG = pytest.param(200, 50, marks=[pytest.mark.long, pytest.mark.timeout(1200)])
SECONDS = 60


class Reply(NamedTuple):
    status: int
    replayed: bool
    retry_after: str | None
    body: bytes


class Rival:
    """One connection of one account; what ends without a reply is `unknown`, and asked again."""

    def __init__(self, server: Server, token: str) -> None:
        self._server, self._token = server, token
        self._connection = server.connect()
        self.unknown = 0

    def ask(self, key: str, number: int) -> Reply:
        """One try; raises OSError or HTTPException."""
        headers = {
            "Authorization": f"Bearer {self._token}", "Content-Type": "application/json", "Idempotency-Key": key,
        }  # fmt: skip
        self._connection.request("POST", PREDICT, json.dumps({"inputs": iris(number)}), headers)
        answer = self._connection.getresponse()
        replayed = answer.headers.get("Idempotency-Replayed") == "true"
        return Reply(answer.status, replayed, answer.headers.get("Retry-After"), answer.read())

    def resolve(self, key: str, number: int) -> list[Reply]:
        """Every reply until one is good."""
        replies: list[Reply] = []
        until = time.monotonic() + SECONDS
        while not replies or replies[-1].status in (409, 503):
            assert time.monotonic() < until, replies[-1:]
            try:
                replies.append(self.ask(key, number))
            except (OSError, http.client.HTTPException):
                self.unknown += 1
                self._connection.close()
                time.sleep(0.05)
        return replies

    def close(self) -> None:
        self._connection.close()


@contextmanager
def rivals(server: Server, sides: int) -> Iterator[list[Rival]]:
    token = server.login("alice")
    made = [Rival(server, token) for _ in range(sides)]
    try:
        yield made
    finally:
        for rival in made:
            rival.close()


def race(made: list[Rival], keys: int) -> dict[str, list[list[Reply]]]:
    """Every key from all sides at the same moment; the replies of each side."""
    gate = threading.Barrier(len(made))

    def run(rival: Rival) -> list[list[Reply]]:
        told = []
        for n in range(keys):
            gate.wait(SECONDS)
            told.append(rival.resolve(f"key-{n}", n))
        return told

    with ThreadPoolExecutor(len(made)) as pool:
        sides = list(pool.map(run, made))
    return {f"key-{n}": [told[n] for told in sides] for n in range(keys)}


def check(installation: Installation, seen: dict[str, list[list[Reply]]]) -> Counter[int]:
    """One record a key, one answer, and every refusal says when to come again; how often each status was seen."""
    replies = [reply for sides in seen.values() for side in sides for reply in side]
    assert {reply.status for reply in replies} <= {200, 409, 503}
    assert all(reply.retry_after for reply in replies if reply.status != 200)
    for sides in seen.values():
        assert len({side[-1].body for side in sides}) == 1, "one key, two answers"
    ledger = installation.ledger()
    assert len(ledger.records) == len(ledger.keys) == len(seen)
    ledger.check_keys()
    ledger.check_leaves()
    for key, sides in seen.items():
        kept = next(k for k in ledger.keys if k["key"] == key)
        assert json.loads(kept["record_ids"]) == [json.loads(sides[0][-1].body)["id"]]
    return Counter(reply.status for reply in replies)


@pytest.mark.parametrize(("keys", "sides"), [(FEW, SIDES), LONG])
def test_a_key_from_many_sides_at_once_has_one_record(
    installation: Installation, keys: int, sides: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(installation.folder, **installation.environment) as server, rivals(server, sides) as made:
        seen = race(made, keys)
        first = [side[-1] for told in seen.values() for side in told if not side[-1].replayed]
        assert len(first) == keys, "all but the first are told that theirs is an earlier answer"
        assert not any(rival.unknown for rival in made)
    statuses = check(installation, seen)
    with capsys.disabled():
        print(f"\n{installation.kind}: {keys} keys from {sides} sides: {dict(statuses)}")


@pytest.mark.parametrize(("keys", "sides"), [(FEW, SIDES), LONG])
def test_a_key_has_one_record_though_workers_die(
    installation: Installation, keys: int, sides: int, capsys: pytest.CaptureFixture[str]
) -> None:
    over, killed = threading.Event(), 0
    with serve(installation.folder, WORKERS="3", **installation.environment) as server:

        def kill() -> int:
            n = 0
            while not over.is_set():
                eventually(lambda: over.is_set() or (server.ready() and len(server.serving()) > 1), SECONDS)
                if not over.wait(random.uniform(0, 0.05)):
                    os.kill(random.choice(server.serving() or server.workers()), signal.SIGKILL)
                    n += 1
            return n

        with rivals(server, sides) as made, ThreadPoolExecutor(1) as pool:
            eventually(lambda: server.ready() and len(server.serving()) > 1, SECONDS)
            killing = pool.submit(kill)
            try:
                seen = race(made, keys)
            finally:
                over.set()
            killed = killing.result()
            unknown = sum(rival.unknown for rival in made)
    statuses = check(installation, seen)
    assert killed
    with capsys.disabled():
        print(
            f"\n{installation.kind}: {keys} keys from {sides} sides, {killed} workers killed: {unknown} unknown,"
            f" all resolved; {dict(statuses)}"
        )


def test_a_key_belongs_to_one_request_of_one_account(installation: Installation) -> None:
    with serve(installation.folder, **installation.environment) as server:
        alice, bob = (Rival(server, server.login(name)) for name in ("alice", "bob"))
        first, again = alice.ask("mine", 1), alice.ask("mine", 1)
        other, foreign = alice.ask("mine", 2), bob.ask("mine", 2)
        alice.close()
        bob.close()
    assert (first.status, first.replayed, again.status, again.replayed) == (200, False, 200, True)
    assert first.body == again.body
    assert other.status == 422 and json.loads(other.body)["type"].endswith("#key-reused")
    assert foreign.status == 200 and not foreign.replayed and foreign.body != first.body
    assert len(installation.ledger().records) == 2
