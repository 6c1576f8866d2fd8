"""What the harness must know of a server to start it, ask it and believe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench import client
from bench.cases import Case, Row
from bench.processes import BenchError


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that serves until it is stopped."""

    command: list[str]
    env: Mapping[str, str]
    cwd: Path


@dataclass(frozen=True, slots=True)
class Target:
    """One model at one address: the body for a row, the class named in an answer, the bearer token if any."""

    url: str
    body: Callable[[Row], object]
    label: Callable[[Any], str]
    token: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def verify(self, case: Case) -> None:
        """Raise BenchError unless the first row gets its class; OSError when nothing listens."""
        answer = client.post(self.url, self.body(case.rows[0]), self.headers)
        try:
            label = self.label(answer)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise BenchError(f"answered in a shape that is not known: {str(answer)[:300]}") from error
        if label != case.expected:
            raise BenchError(f"answered {label!r} where {case.expected!r} is right")


class Server(Protocol):
    """A server under measurement."""

    @property
    def name(self) -> str: ...

    @property
    def work(self) -> str:
        """What it does for each request, in a few words."""

    def prepare(self, case: Case, work: Path) -> None:
        """Install and set up, once a run; `work` is an empty directory of its own."""

    def launch(self, case: Case, work: Path, port: int) -> Launch:
        """How to start it on that port of 127.0.0.1."""

    def target(self, case: Case, base: str) -> Target:
        """Where to ask, signing in if need be; OSError while it is still starting."""
