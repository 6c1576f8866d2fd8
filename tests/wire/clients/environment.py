"""Environments of other people's clients: one for each, from its pins, made when first asked for and then kept."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import need

HERE = Path(__file__).parent
KEPT = HERE / ".envs"
UV = Path(sys.executable).with_name("uv")
QUIET = ["--quiet", "--no-progress"]


def environment(client: str) -> Path:
    """The Python of the environment that requirements/`client`.txt pins; two that ask at once make it once.

    Where it cannot be made the test is skipped, in CI it fails.
    """
    pins = HERE / "requirements" / f"{client}.txt"
    place, wanted = KEPT / client, hashlib.sha256(sys.version.encode() + pins.read_bytes()).hexdigest()
    made, python = place / "made-from", place / "bin" / "python"
    KEPT.mkdir(exist_ok=True)
    with (KEPT / f"{client}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists() or made.read_text() != wanted:
            shutil.rmtree(place, ignore_errors=True)
            _run(client, [UV, "venv", *QUIET, "--python", sys.executable, place])
            _run(client, [UV, "pip", "install", *QUIET, "--python", python, "-r", pins])
            made.write_text(wanted)
    return python


def run(
    python: Path, *arguments: str | Path, given: str = "", folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run something with the environment `python` belongs to in front of all else, outside of the project."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    first = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [str(a) for a in arguments],
        cwd=folder,
        env={**kept, **first, **environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
    )


def ask(client: str, script: str, given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run scripts/`script`.py in the client's environment: `given` goes in as JSON, and JSON comes out."""
    python = environment(client)
    done = run(python, python, HERE / "scripts" / f"{script}.py", given=json.dumps(given), folder=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


def _run(client: str, command: list[str | Path]) -> None:
    line = shlex.join(str(word) for word in command)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        need(f"no environment for {client}: {line}\n{done.stderr[-1000:]}")
