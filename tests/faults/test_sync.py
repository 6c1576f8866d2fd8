"""What the kernel sees: no answer leaves before the sync that covers its record, and none after a sync failed."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import need
from tests.faults.conftest import Installation
from tests.faults.evidence import opened, told
from tests.faults.traffic import Client, acknowledged, replies, running
from tests.server import Server, eventually, serve

CLIENTS, EACH = 8, 40
RECORD = re.compile(r"pred_[0-9a-f]{44}")


@pytest.fixture(autouse=True)
def strace() -> None:
    if shutil.which("strace") is None:
        need("strace is not installed; get it with: apt-get install strace")


@contextmanager
def watched(pid: int, log: Path, *options: str) -> Iterator[None]:
    """strace on a worker, writing to `log` what it does with files and sockets, up to a page of each."""
    command = ["strace", "-f", "-y", "-s", "8192", "-o", str(log), "-p", str(pid), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        if "attached" not in first:
            need(f"strace may not look at another process here: {first.strip()}")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def _clients(server: Server, count: int = CLIENTS, each: int = EACH) -> list[Client]:
    token = server.login("alice")
    return [Client(server, "alice", token, "iris", range(i, count * each, count)) for i in range(count)]


def test_no_answer_leaves_before_its_record_is_synced(sqlite: Installation, tmp_path: Path) -> None:
    with serve(sqlite.folder, WORKERS="1") as server:
        clients = _clients(server)
        trace = ["-e", "trace=pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev"]
        with watched(server.workers()[0], tmp_path / "trace", *trace), running(clients, 60):
            pass
    assert len(acknowledged(clients)) == CLIENTS * EACH
    assert _answers_after_their_sync(tmp_path / "trace") == CLIENTS * EACH


def _answers_after_their_sync(log: Path) -> int:
    written: set[str] = set()
    synced: set[str] = set()
    answers = 0
    for line in log.read_text(errors="replace").splitlines():
        call = line.split(maxsplit=1)[1]
        if call.startswith("pwrite64") and "parecer.db-wal>" in call:
            written.update(RECORD.findall(call))
        elif call.startswith(("fdatasync", "fsync")) and "parecer.db-wal>" in call and call.endswith("= 0"):
            synced |= written
        elif "HTTP/1.1 200" in call or ('"{\\"id\\":' in call and "socket:" in call):
            named = set(RECORD.findall(call))
            assert named <= synced, f"answered before its sync: {named - synced}"
            answers += len(named)
    return answers


def test_after_a_failed_sync_nothing_is_answered_and_the_worker_is_replaced(
    sqlite: Installation, tmp_path: Path
) -> None:
    with serve(sqlite.folder) as server:
        clients = _clients(server, each=250)
        victim = server.workers()[0]
        fault = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO:when=3+"]
        with watched(victim, tmp_path / "trace", *fault), running(clients, 60):
            eventually(lambda: victim not in server.workers(), 20)
        eventually(lambda: len(server.workers()) == 2 and server.ready(), 20)
    assert "EIO" in (tmp_path / "trace").read_text()
    assert replies(clients)["503"] > 0
    assert len(acknowledged(clients)) == CLIENTS * 250
    sqlite.ledger().check(acknowledged(clients))
    with opened(sqlite) as evidence:
        assert told(evidence.verify(evidence.seal().note)) == ""
