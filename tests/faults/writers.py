"""What other processes do to a record: `python -m tests.faults.writers FOLDER URL write ROWS EACH` or `… seal`.

A writer prints nothing; a sealer prints each checkpoint that it makes, and ends when it is killed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import ROOT
from tests.faults.conftest import Installation

FOREVER = 10**9


def start(installation: Installation, *what: str | int) -> subprocess.Popen[str]:
    """Another process at work on the same record."""
    command = [sys.executable, "-m", "tests.faults.writers", str(installation.folder), installation.url]
    command += [str(word) for word in what]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@contextmanager
def working(processes: list[subprocess.Popen[str]]) -> Iterator[None]:
    """Inside, they work; afterwards they are gone."""
    try:
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _main(folder: str, url: str, what: str, rows: int = 0, each: int = 1) -> None:
    from tests.faults.evidence import opened

    with opened(Installation(Path(folder), url)) as evidence:
        if what == "write":
            evidence.fill(1)
            print("ready", flush=True)
            done = 1
            while done < rows:
                done += len(evidence.fill(min(each, rows - done)))
                if rows == FOREVER:
                    time.sleep(0.005)
            return
        print("ready", flush=True)
        size = 0
        while True:
            newest = evidence.seal()
            if newest.size > size:
                size = newest.size
                print(newest.note.replace("\n", "\\n"), flush=True)
            time.sleep(0.02)


if __name__ == "__main__":
    _main(*sys.argv[1:4], *(int(n) for n in sys.argv[4:]))
