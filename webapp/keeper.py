"""Keeps the worker for batches running beside the web server, and ends with whoever started it.

Run as `python -m webapp.keeper COMMAND …`. It imports nothing of ours, so that watching costs little memory.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

#: Seconds: between looks, for the worker to finish what it has in hand, and between its starts at most.
LOOK, LEAVE, LATE = 0.25, 20.0, 30.0
#: One that lives this long has started well.
WELL = 60.0


class Keeper:
    """One process, started again whenever it ends, as long as our parent lives and nobody tells us to leave."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._parent = os.getppid()
        self._told = False

    def keep(self) -> None:
        """Return once it is time to leave and the process has ended."""
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # from the terminal; the web server passes on what it means
        pause = 1.0
        while not self._over():
            begun = time.monotonic()
            process = subprocess.Popen(self._command)  # noqa: S603 - our own command, given by the server's settings
            while process.poll() is None and not self._over():
                time.sleep(LOOK)
            if process.poll() is None:
                _end(process)
                return
            if not self._over():
                _tell(process.returncode)
            pause = 1.0 if time.monotonic() - begun > WELL else min(pause * 2, LATE)
            self._wait(pause)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._over():
            time.sleep(LOOK)

    def _over(self) -> bool:
        return self._told or os.getppid() != self._parent

    def _leave(self, *_: object) -> None:
        self._told = True


def _tell(code: int) -> None:
    facts = {
        "event": "worker ended",
        "timestamp": datetime.now(UTC).isoformat(),
        "level": "error",
        "code": code,
    }
    print(json.dumps(facts), flush=True)  # noqa: T201 - a log line, as others write them


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(LEAVE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    Keeper(sys.argv[1:]).keep()
