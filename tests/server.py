"""A real server for tests: gunicorn over a copy of a seeded installation, in a process group of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config import ROOT
from tests.conftest import password

COMMAND = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "run:app"]
START_SECONDS = 60
STOP_SECONDS = 40


class Server:
    """A running server; its log is `log`, its data folder `folder`."""

    def __init__(self, folder: Path, log: Path, environment: dict[str, str]) -> None:
        self.folder, self.log, self.port = folder, log, free_port()
        settings = {"DATA_DIR": str(folder), "PORT": str(self.port), "DEMO": "false", "RATE_LIMIT": "0"}
        settings["JOB_WORKER"] = "false"  # a test that wants one says so
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                COMMAND,
                cwd=ROOT,
                env={**os.environ, **settings, **environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """Process ids of the workers that are there now."""
        pid = self.process.pid
        try:
            return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def serving(self) -> list[int]:
        """Those of them that have answered a request; each keeps its counts in a file of its own, a second later."""
        return [p for p in self.workers() if f"histogram_{p}.db" in _open_files(p)]

    def connect(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request on a connection of its own: status, headers, body. Raises OSError, HTTPException."""
        connection = self.connect()
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def login(self, name: str) -> str:
        """An access token of one of the cast."""
        person = {"username": name, "password": password(name)}
        status, _, body = self.ask("POST", "/api/v1/login", person)
        assert status == 200, body
        return str(json.loads(body)["access_token"])

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self) -> int:
        """Stop in good order and say the exit code; whatever is left after a while is killed."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self._kill_group()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait(STOP_SECONDS)


@contextmanager
def serve(folder: Path, **environment: str) -> Iterator[Server]:
    """A server over `folder`, ready; keyword arguments are its environment."""
    server = Server(folder, folder.parent / f"{folder.name}.log", environment)
    try:
        eventually(lambda: server.process.poll() is not None or server.ready(), START_SECONDS)
        assert server.process.poll() is None, f"the server stopped at its start:\n{server.log.read_text()}"
        yield server
    finally:
        server.stop()


def eventually(true: Callable[[], bool], seconds: float) -> float:
    """Wait until `true()`; returns the seconds it took, fails after `seconds`."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, f"did not happen within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - begun


def free_port() -> int:
    """A port of this machine that nothing listens on just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _open_files(pid: int) -> set[str]:
    try:
        return {fd.readlink().name for fd in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:  # gone meanwhile
        return set()
