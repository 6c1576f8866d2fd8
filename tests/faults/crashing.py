"""A process that writes and seals under strace, which ends or hinders it at a system call of choice."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import need
from tests.faults.conftest import Installation
from tests.faults.evidence import Evidence, opened
from webapp.errors import AppError

ROWS, SEALED = 60, 10
#: Forks of a process that has imported all that is needed and opened nothing.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    ["tests.faults.evidence", "onnxruntime", "sklearn", "cryptography.hazmat.bindings._rust"]
)


def work(folder: str, url: str, acknowledged: str, rows: int) -> None:
    """Once told to go, make records one by one, sealing now and then; each id is written down once it is answered."""
    while not Path(f"{acknowledged}.go").exists():
        pass
    file = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with opened(Installation(Path(folder), url)) as evidence:
        for n in range(rows):
            try:
                [made] = evidence.fill(1)
                os.write(file, f"ACK {made}\n".encode())
                if n % SEALED == SEALED - 1:
                    evidence.seal()
            except (AppError, OSError):
                continue
    os._exit(0)


def run(installation: Installation, log: Path, *options: str, rows: int = ROWS) -> list[str]:
    """Let a process work under strace with these options; returns the ids that were acknowledged."""
    acknowledged = log.with_suffix(".acknowledged")
    for path in (acknowledged, Path(f"{acknowledged}.go")):
        path.unlink(missing_ok=True)
    arguments = (str(installation.folder), installation.url, str(acknowledged), rows)
    process = _forks.Process(target=work, args=arguments)
    process.start()
    command = ["strace", "-f", "-y", "-o", str(log), "-p", str(process.pid), *options]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert tracer.stderr is not None
        first = tracer.stderr.readline()
        if "attached" not in first:
            need(f"strace may not look at another process here: {first.strip()}")
        Path(f"{acknowledged}.go").touch()
        process.join(120)
    finally:
        process.kill()
        process.join()
        tracer.communicate(timeout=30)
    return (
        [line.removeprefix("ACK ") for line in acknowledged.read_text().splitlines()]
        if acknowledged.exists()
        else []
    )


@contextmanager
def afterwards(installation: Installation) -> Iterator[Evidence]:
    """The next process, which finds the record as it was left."""
    installation.ledger().check_leaves()
    with opened(installation) as evidence:
        yield evidence
