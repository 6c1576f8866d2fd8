"""Parecer as a server under measurement, the list of all servers, and how one is brought up."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import client, processes
from bench.cases import Case, Row
from bench.peers import PEERS, WORKERS
from bench.processes import BenchError, Running
from bench.target import Launch, Server, Target

ROOT = Path(__file__).parents[1]
BIN = Path(sys.prefix) / "bin"
USER = "bench"
READY_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Parecer:
    """The whole product: token, schema, policy, limits, metrics, logs and a durable record."""

    name: str = "parecer"
    work: str = "token, schema, policy, limits, metrics, durable record"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)

    def prepare(self, case: Case, work: Path) -> None:
        if data_dir(work).exists():
            return
        command = [str(BIN / "python"), "run.py", "prepare"]
        processes.run(command, work / "log", cwd=ROOT, env=self._environment(work))
        self.add_user(work, USER, "analyst")

    def add_user(self, work: Path, name: str, role: str) -> None:
        """One more person, with the same password as the bench user."""
        create = [str(BIN / "flask"), "--app", "run", "user", "create", name, "--role", role]
        typed = f"{self.password}\n"
        environment = self._environment(work)
        processes.run([*create, "--password-stdin"], work / "log", cwd=ROOT, env=environment, stdin=typed)

    def launch(self, case: Case, work: Path, port: int) -> Launch:
        command = [str(BIN / "gunicorn"), "-c", "gunicorn.conf.py", "run:app"]
        return Launch(command, {**self._environment(work), "PORT": str(port)}, ROOT)

    def target(self, case: Case, base: str) -> Target:
        def body(row: Row) -> object:
            return {"inputs": self.inputs(case, row)}

        return Target(f"{base}/api/v1/models/{case.name}/predict", body, _uncached_label, self.token(base))

    def inputs(self, case: Case, row: Row) -> dict[str, float]:
        """The row as the API takes it, by feature name."""
        return dict(zip(case.features, row, strict=True))

    def token(self, base: str) -> str:
        """A fresh bearer token of the bench user."""
        signed_in = client.post(f"{base}/api/v1/login", {"username": USER, "password": self.password})
        return str(signed_in["access_token"])

    def _environment(self, work: Path) -> dict[str, str]:
        place = data_dir(work)
        return {
            "HOST": "127.0.0.1",
            "DATA_DIR": str(place),
            # Named outright, so that no setting of the caller's shell can lead a run to data that matters.
            "DATABASE_URL": "",
            "MODEL_STORE": str(place / "model_store"),
            "WORKERS": WORKERS,
            # A minute: checked for every request, and never reached.
            "RATE_LIMIT": "100000000",
            "RATE_LIMIT_ADDRESS": "100000000",
        }


@dataclass(frozen=True, slots=True)
class OpenInference(Parecer):
    """The same, asked over the Open Inference Protocol."""

    name: str = "parecer-v2"
    work: str = "the same, over /v2 of the Open Inference Protocol"

    def target(self, case: Case, base: str) -> Target:
        def body(row: Row) -> object:
            tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": list(row)}
            return {"inputs": [tensor]}

        return Target(f"{base}/v2/models/{case.name}/infer", body, _first_value, self.token(base))


def data_dir(work: Path) -> Path:
    """Where Parecer keeps its database during a run."""
    return work / "data"


def _uncached_label(answer: Any) -> str:
    if answer["cached"]:
        raise BenchError(
            "answered from its prediction cache, so the model was not measured; switch the cache off"
        )
    return str(answer["label"])


def _first_value(answer: Any) -> str:
    return str(answer["outputs"][0]["data"][0])


PARECER = Parecer()
SERVERS: tuple[Server, ...] = (PEERS[0], PARECER, OpenInference(), *PEERS[1:])


@dataclass(frozen=True, slots=True)
class Up:
    """A server that has given its first right answer, `ready_s` seconds after it was started."""

    base: str
    target: Target
    running: Running
    ready_s: float


@contextmanager
def serving(server: Server, case: Case, work: Path) -> Iterator[Up]:
    """Keep the server up for the length of the block; BenchError when it stops or answers wrongly."""
    port = processes.free_port()
    launch, base = server.launch(case, work, port), f"http://127.0.0.1:{port}"
    started = time.monotonic()
    with processes.running(launch.command, work / "log", cwd=launch.cwd, env=launch.env) as running:
        while True:
            running.check()
            try:
                target = server.target(case, base)
                target.verify(case)
                break
            except OSError as error:
                if time.monotonic() - started > READY_WITHIN_S:
                    reason = f"no answer within {READY_WITHIN_S:.0f} s ({error})"
                    raise BenchError(f"{reason}:\n{processes.tail(running.log)}") from error
                time.sleep(0.05)
        yield Up(base, target, running, time.monotonic() - started)
