"""Clients that ask for distinct predictions until each is acknowledged, and write down what they were told."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.server import Server

TRIES = 400
PAUSE = 0.05


class Ack(NamedTuple):
    """One acknowledged answer, as its client wrote it down."""

    key: str
    user: str
    model: str
    inputs: dict[str, float]
    answer: dict[str, Any]


def iris(n: int) -> dict[str, float]:
    """Row number `n` below 20,000; no two are alike, nor are their answers."""
    return {
        "sepal_length": 4 + n % 101 / 25,
        "sepal_width": 2 + n % 61 / 25,
        "petal_length": 1 + n / 3000,
        "petal_width": 0.1 + n % 97 / 40,
    }


def diabetes(n: int) -> dict[str, float]:
    """Row number `n` below 20,000, as `iris`."""
    return {
        "age": 20 + n % 60,
        "sex": 1 + n % 2,
        "bmi": 18 + n / 1000,
        "bp": 70 + n % 41,
        "s1": 150 + n % 89,
        "s2": 90.5 + n % 67,
        "s3": 30 + n % 47,
        "s4": 3 + n % 5,
        "s5": 4 + n % 31 / 15,
        "s6": 80 + n % 37,
    }


ROWS: dict[str, Callable[[int], dict[str, float]]] = {"iris": iris, "diabetes": diabetes}


class Client(threading.Thread):
    """Asks for the rows `numbers` of `model`, one after the other, on one connection as long as that lives.

    What is not answered 200 is asked again under the same key, so `replies` counts every status seen and
    "unknown" for every connection that ended without one.
    """

    def __init__(self, server: Server, user: str, token: str, model: str, numbers: Iterable[int]) -> None:
        super().__init__(daemon=True)
        self._server, self._user, self._token, self._model = server, user, token, model
        self._numbers = numbers
        self._connection: http.client.HTTPConnection | None = None
        self.file = server.folder.parent / f"acknowledged-{id(self):x}.jsonl"
        self.replies: Counter[str] = Counter()
        self.bare: list[bytes] = []
        self.acknowledged = 0
        #: Seconds from the first try to the answer.
        self.longest_wait = 0.0
        self.stopped = threading.Event()
        self.failure: str | None = None

    def run(self) -> None:
        try:
            self._ask_all()
        finally:
            self._hang_up()

    def _ask_all(self) -> None:
        with self.file.open("w") as file:
            for n in self._numbers:
                if self.stopped.is_set():
                    return
                inputs, begun = ROWS[self._model](n), time.monotonic()
                key = f"{self._user}-{self._model}-{n}"
                answer = self._until_answered(inputs, key)
                if answer is None:
                    return
                json.dump(Ack(key, self._user, self._model, inputs, answer), file)
                file.write("\n")
                file.flush()
                self.acknowledged += 1
                self.longest_wait = max(self.longest_wait, time.monotonic() - begun)

    def _until_answered(self, inputs: dict[str, float], key: str) -> dict[str, Any] | None:
        for _ in range(TRIES):
            status, body = self.once(inputs, key)
            self.replies[str(status)] += 1
            if status == 200:
                return dict(json.loads(body))
            if status not in ("unknown", 503):
                break
            if self.stopped.wait(PAUSE):
                return None
        self.failure = f"{key}: {status} {body!r}"
        return None

    def once(self, inputs: dict[str, float], key: str) -> tuple[int | str, bytes]:
        """One try: its status, or "unknown" when the connection ended first."""
        try:
            if self._connection is None:
                self._connection = self._server.connect()
            headers = {
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "Idempotency-Key": key,
            }
            path = f"/api/v1/models/{self._model}/predict"
            self._connection.request("POST", path, json.dumps({"inputs": inputs}), headers)
            answer = self._connection.getresponse()
            body = answer.read()
            if answer.status == 503 and not answer.headers.get("Retry-After"):
                self.bare.append(body)
            return answer.status, body
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return "unknown", b""

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


@contextmanager
def running(clients: list[Client], seconds: float) -> Iterator[None]:
    """Start the clients, and at the end wait for them; every one must have been answered or told to stop."""
    for client in clients:
        client.start()
    try:
        yield
        give_up = time.monotonic() + seconds
        for client in clients:
            client.join(max(0.0, give_up - time.monotonic()))
            assert not client.is_alive(), f"a client was still asking after {seconds} s"
    finally:
        stop(clients)
    assert [c.failure for c in clients if c.failure] == []
    assert [body for c in clients for body in c.bare] == [], "503 without Retry-After"


def stop(clients: list[Client]) -> None:
    """Tell the clients to finish the request at hand, and wait for that."""
    for client in clients:
        client.stopped.set()
    for client in clients:
        client.join(35)


def acknowledged(clients: list[Client]) -> list[Ack]:
    """Everything the clients were told, from their files."""
    return [Ack(*json.loads(line)) for c in clients for line in _lines(c.file)]


def replies(clients: list[Client]) -> Counter[str]:
    """How often each status, or "unknown", was seen."""
    return sum((c.replies for c in clients), Counter())


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
