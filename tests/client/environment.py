"""A notebook's environment: fresh, with the client from `pip install ./client` and nothing of the server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import venv
from collections.abc import Mapping
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from config import ROOT
from tests.conftest import need

#: pip should not ask for what it cannot do without, nor tell of newer releases of itself.
OFFLINE = ("NewConnectionError", "Could not find a version", "No matching distribution")
QUIET = ["--quiet", "--disable-pip-version-check", "--no-input"]


class Environment:
    """An environment in `folder`; packages have the versions of our lock file, so that runs can be compared."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.python = folder, folder / "bin" / "python"
        venv.create(folder, with_pip=True)
        self._constraints = folder / "constraints.txt"
        export = [Path(sys.executable).with_name("uv"), "export", "--frozen", "--all-extras", "--all-groups"]
        shape = ["--no-hashes", "--no-emit-project", "--quiet", "--output-file", self._constraints]
        subprocess.run([*export, *shape], cwd=ROOT, check=True)

    def install(self, *what: str) -> float:
        """Install with pip; the seconds it took. Skips where no packages can be had, but not in CI."""
        begun = time.monotonic()
        done = self.run("-m", "pip", "install", *QUIET, "-c", str(self._constraints), *what)
        if done.returncode and any(sign in done.stderr for sign in OFFLINE):
            need(f"pip reaches no packages for {' '.join(what)}; connect to a network that has them")
        assert done.returncode == 0, done.stderr[-3000:]
        return time.monotonic() - begun

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run its python in its own folder, which is no part of the project."""
        kept: Mapping[str, str] = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            env={**kept, **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )


def children_seconds() -> float:
    """Processor time of this process's ended children."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def group_seconds(group: int) -> float:
    """Processor time of the processes of a group, and of their ended children."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # gone meanwhile
            continue
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
