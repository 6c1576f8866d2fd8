"""Start a server in a process group of its own, and be sure that it stops."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

GRACE_S = 10.0
MARK = "BENCH_MARK"


class BenchError(Exception):
    """A server that cannot be installed, started or believed; the message says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A started server: the process, the mark all its children carry, and where it writes its log."""

    process: subprocess.Popen[bytes]
    mark: str
    log: Path

    def check(self) -> None:
        """Raise BenchError with the end of the log when the process has gone."""
        if (code := self.process.poll()) is not None:
            raise BenchError(f"stopped by itself with status {code}:\n{tail(self.log)}")

    def worker_rss_mb(self) -> float:
        """Resident memory of the largest process of this server, in MB."""
        return max((_memory_kb(pid, "VmRSS:") for pid in _marked(self.mark)), default=0) / 1024

    def peak_rss_mb(self, word: str) -> float:
        """The most memory that a process with `word` in its command ever had resident, in MB."""
        sought = (pid for pid in _marked(self.mark) if word in _command(pid))
        return max((_memory_kb(pid, "VmHWM:") for pid in sought), default=0) / 1024


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def run(command: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str], stdin: str = "") -> None:
    """Run a preparing command to its end; BenchError with the end of its output when it fails."""
    with log.open("ab") as out:
        done = subprocess.run(
            command,
            stdout=out,
            stderr=out,
            cwd=cwd,
            env={**os.environ, **env},
            input=stdin.encode(),
            check=False,
        )
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed with status {done.returncode}:\n{tail(log)}")


@contextmanager
def running(command: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str]) -> Iterator[Running]:
    """Keep a server up for the length of the block; it is stopped whatever happens inside."""
    mark = secrets.token_hex(8)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd,
            env={**os.environ, **env, MARK: mark}, start_new_session=True,
        )  # fmt: skip
    try:
        yield Running(process, mark, log)
    finally:
        _stop(process, mark)


def _stop(process: subprocess.Popen[bytes], mark: str) -> None:
    """Ask, wait, then kill whatever still carries the mark: some servers put workers in other sessions."""
    process.terminate()
    deadline = time.monotonic() + GRACE_S
    try:
        process.wait(GRACE_S)
        while _marked(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
    except subprocess.TimeoutExpired:
        pass
    finally:
        for pid in _marked(mark):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()


def _marked(mark: str) -> list[int]:
    """Processes whose environment carries the mark, which is inherited by every child."""
    sought = f"{MARK}={mark}".encode()
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and sought in _environ(entry)
    ]


def _environ(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # gone meanwhile, or another user's
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _memory_kb(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)
