"""Z7: no model file runs code, reaches outside itself or the network, or takes much, and each is told why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from config import ROOT
from tests.conftest import need
from tests.faults.hostile_models import good, hostile, listed, sample

TRACED = "trace=%process,%network,open,openat,openat2,creat"
CPU_SECONDS, MB = 5.0, 512
#: What a refusal never shows: a stack, an address of this machine, a name of our own code.
LEAKS = re.compile(
    r"Traceback|File \"|/tmp|/usr|/home|/root|site-packages|webapp|onnxruntime_src| line \d+, in "
)
#: Where what is imported late may lie.
LIBRARIES = re.compile(
    rf'"({re.escape(sys.prefix)}|{re.escape(sys.base_prefix)}|{re.escape(str(ROOT))}/webapp|/lib|/usr/lib|/usr/local/lib'
    r"|/usr/share/zoneinfo|/etc/(localtime|ld\.so\.cache)|/dev/(null|urandom)|/proc/(cpuinfo|meminfo|self/(statm|maps))"
    r"|/sys/devices/system|/sys/fs/cgroup)"
)


class Seen(NamedTuple):
    """What was written down of each file, and the calls of its process."""

    results: dict[str, dict[str, Any]]
    calls: dict[int, list[str]]
    folder: Path


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Every hostile file, and a good one beside them, inspected under strace."""
    if not shutil.which("strace"):
        need("strace is missing; install it with: apt-get install strace")
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "models").mkdir()
    (folder / "secret").write_bytes(b"\0\0\x80?")
    for name, data in hostile(folder, folder / "canary"):
        assert not (folder / "models" / name).exists(), name
        (folder / "models" / name).write_bytes(data)
    (folder / "models" / "good.onnx").write_bytes(good())
    (folder / "sample.csv").write_bytes(sample())
    log = folder / "calls"
    command = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-o",
        str(log),
        "-e",
        "trace=%process,%network,open,openat,openat2,creat",
    ]
    inspect = [sys.executable, "-m", "tests.faults.inspections", str(folder)]
    done = subprocess.run(
        [*command, *inspect], cwd=ROOT, env={**os.environ, **_one_thread()}, capture_output=True, text=True
    )
    if "PTRACE" in done.stderr:
        need(f"strace may not look at another process here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    calls: dict[int, list[str]] = {}
    for line in log.read_text(errors="replace").splitlines():
        process, _, call = line.partition(" ")
        calls.setdefault(int(process), []).append(call.strip())
    return Seen(listed(folder), calls, folder)


def _one_thread() -> dict[str, str]:
    return {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


def test_each_is_refused_in_words(seen: Seen) -> None:
    results = dict(seen.results)
    assert results.pop("good.onnx")["refused"].startswith("The model kept")  # its digest was not given here
    assert len(results) >= 80
    assert [name for name, told in results.items() if not told["refused"]] == []
    leaking = {name: told["refused"] for name, told in results.items() if LEAKS.search(told["refused"])}
    assert leaking == {}


def test_no_code_of_theirs_runs(seen: Seen) -> None:
    assert not (seen.folder / "canary").exists()
    assert list(seen.folder.rglob("escaped")) == []
    started = {
        name: calls
        for name, calls in _by_name(seen, r"(execve|execveat|fork|vfork|clone|clone3)\(").items()
        if calls
    }
    assert started == {}


def test_no_connection_is_tried(seen: Seen) -> None:
    assert {
        n: c for n, c in _by_name(seen, r"(socket|socketpair|connect|sendto|sendmsg)\(").items() if c
    } == {}


def test_no_file_outside_is_opened(seen: Seen) -> None:
    opened = _by_name(seen, r"(open|openat|openat2|creat)\(")
    outside = {
        name: found
        for name, calls in opened.items()
        if (found := [c for c in calls if not LIBRARIES.search(c) or re.search(r"O_(WRONLY|RDWR|CREAT)", c)])
    }
    assert outside == {}


def test_each_is_refused_at_little_cost(seen: Seen) -> None:
    costs = {name: (round(t["cpu"], 2), round(t["mb"])) for name, t in seen.results.items()}
    assert {n: c for n, c in costs.items() if c[0] > CPU_SECONDS or c[1] > MB} == {}


def _by_name(seen: Seen, pattern: str) -> dict[str, list[str]]:
    """The calls of each file's process that look so, once it was shut in."""
    wanted = re.compile(pattern)
    found = {}
    for name, told in seen.results.items():
        calls = seen.calls.get(told["process"], [])
        found[name] = [call for call in calls if wanted.match(call) and "/dev/null" not in call]
    return found
