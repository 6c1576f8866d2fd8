"""Closed-loop load with wrk: as many requests as the server takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench import client
from bench.processes import BenchError
from bench.target import Target

SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: latencies in milliseconds, errors counted over the whole time."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    bad_status: int
    socket_errors: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def errors(self) -> int:
        return self.bad_status + self.socket_errors


def find_wrk() -> str:
    """Where wrk is; BenchError with the way to get it when it is not installed."""
    if found := shutil.which("wrk"):
        return found
    raise BenchError(
        "wrk is not installed; get it with `apt-get install wrk` or `brew install wrk`, then run again"
    )


def drive(target: Target, bodies: Iterable[object], seconds: float, connections: int = 64) -> Load:
    """Post the bodies in turn for that many seconds, over that many connections of one thread."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b"\n".join(client.encode(body) for body in bodies))
        file.flush()
        env = {**os.environ, "BENCH_BODIES": file.name} | (
            {"BENCH_TOKEN": target.token} if target.token else {}
        )
        command = [
            find_wrk(), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s",
            "-s", str(SCRIPT), target.url,
        ]  # fmt: skip
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return Load(**json.loads(line.removeprefix("RESULT ")))
    raise BenchError(f"wrk gave no result:\n{done.stdout}{done.stderr}")
