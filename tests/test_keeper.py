"""What keeps a worker running beside the web server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import ROOT
from tests.server import eventually

#: Writes down each process that was started, and waits.
SLEEPER = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(60)"


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


@pytest.fixture
def parent(pids: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that starts a keeper and waits, as a web server does."""
    keeper = [sys.executable, "-m", "webapp.keeper", sys.executable, "-c", SLEEPER, str(pids)]
    code = f"import subprocess; k = subprocess.Popen({keeper!r}); print(k.pid, flush=True); k.wait()"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def started(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().split()] if pids.exists() else []


def runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except OSError:
        return False


def test_what_ends_is_started_again(parent: subprocess.Popen[bytes], pids: Path) -> None:
    eventually(lambda: len(started(pids)) == 1, 20)
    os.kill(started(pids)[0], signal.SIGKILL)
    eventually(lambda: len(started(pids)) == 2, 20)


def test_it_ends_with_who_started_it(parent: subprocess.Popen[bytes], pids: Path) -> None:
    assert parent.stdout is not None
    keeper = int(parent.stdout.readline())
    eventually(lambda: len(started(pids)) == 1, 20)
    parent.kill()
    eventually(lambda: not runs(keeper) and not runs(started(pids)[0]), 10)
    assert len(started(pids)) == 1
