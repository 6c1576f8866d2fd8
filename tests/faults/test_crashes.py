"""Ended at any moment, whatever a disk does: what was acknowledged is kept, and the record verifies."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import statistics
import time
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import need
from tests.faults import crashing
from tests.faults.conftest import Installation
from tests.faults.evidence import told
from tests.faults.traffic import Client, acknowledged, running, stop
from tests.server import Server, eventually

CLIENTS = 6
SYNC = "fdatasync,fsync"  # which of them depends on how SQLite was built


@pytest.fixture
def strace() -> None:
    if shutil.which("strace") is None:
        need("strace is not installed; get it with: apt-get install strace")


def sound(installation: Installation, acks: set[str]) -> None:
    """Everything acknowledged is there; the next process seals it, and it verifies."""
    with crashing.afterwards(installation) as evidence:
        note = evidence.seal().note
        found = evidence.verify(note)
        assert told(found) == ""
        assert acks <= {leaf.record_id for leaf in evidence.leaves()}


def killed_all(installation: Installation, kills: int) -> tuple[int, list[float]]:
    """Kill all processes of the server that often at full traffic; returns how many answers were acknowledged, and
    the seconds after each start until it was ready."""
    environment = {**installation.environment, "JOB_WORKER": "true", "SEAL_SECONDS": "0.2"}
    log, starts = installation.folder.parent / "server.log", []
    server = Server(installation.folder, log, environment)
    try:
        eventually(server.ready, 60)
        token = server.login("alice")
        clients = [Client(server, "alice", token, "iris", count(i, CLIENTS)) for i in range(CLIENTS)]
        with running(clients, 120):
            for _ in range(kills):
                before = sum(c.acknowledged for c in clients)
                eventually(lambda: sum(c.acknowledged for c in clients) > before + 100, 60)  # noqa: B023
                time.sleep(random.uniform(0, 0.3))
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait()
                begun = time.monotonic()
                server = Server(installation.folder, log, environment)
                for client in clients:
                    client._server = server
                eventually(server.ready, 60)
                starts.append(time.monotonic() - begun)
            stop(clients)
    finally:
        server.stop()
    acks = acknowledged(clients)
    installation.ledger().check(acks)
    sound(installation, {ack.answer["id"] for ack in acks})
    return len(acks), starts


@pytest.mark.timeout(300)
def test_killing_all_processes_loses_nothing(installation: Installation) -> None:
    killed_all(installation, 2)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killing_all_processes_twenty_times_loses_nothing(installation: Installation) -> None:
    n, starts = killed_all(installation, 20)
    print(
        f"\n{installation.kind}: all processes killed 20 times, {n} acknowledged, 0 lost; ready again after "
        f"{statistics.median(starts):.1f} s (median), {max(starts):.1f} s (most)"
    )


def ended(sqlite: Installation, folder: Path, calls: dict[str, list[int]]) -> Counter[str]:
    """Kill a process at the nth of a system call, again and again on one database."""
    acks: set[str] = set()
    seen: Counter[str] = Counter()
    for call, numbers in calls.items():
        for n in numbers:
            fault = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"]
            acks.update(crashing.run(sqlite, folder / "trace", *fault))
            seen[call] += "killed by SIGKILL" in (folder / "trace").read_text()
            sound(sqlite, acks)
    seen["acknowledged"] = len(acks)
    return seen


@pytest.mark.usefixtures("strace")
def test_a_process_killed_at_a_call_loses_nothing(sqlite: Installation, tmp_path: Path) -> None:
    chance = random.Random(3)
    calls = {SYNC: chance.sample(range(1, 60), 10), "pwrite64": chance.sample(range(1, 500), 10)}
    seen = ended(sqlite, tmp_path, calls)
    assert seen[SYNC] >= 8 and seen["pwrite64"] >= 8 and seen["acknowledged"] > 100


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("strace")
def test_a_process_killed_at_every_call_loses_nothing(sqlite: Installation, tmp_path: Path) -> None:
    calls = {SYNC: [n % 60 + 1 for n in range(200)], "pwrite64": list(range(1, 501))}
    print(f"\nSQLite: killed at the nth call: {dict(ended(sqlite, tmp_path, calls))}, 0 lost")


def hindered(sqlite: Installation, folder: Path, numbers: list[int]) -> Counter[str]:
    """Let the nth call fail, once or from then on."""
    acks: set[str] = set()
    seen: Counter[str] = Counter()
    for n in numbers:
        for call in ("pwrite64", SYNC, "openat", "ftruncate"):
            error, good = ("EIO", "ENOSPC")[n % 2], ("", "+")[n // 2 % 2]
            fault = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={n}{good}"]
            acks.update(crashing.run(sqlite, folder / "trace", *fault, rows=20))
            seen[call] += "INJECTED" in (folder / "trace").read_text()
            sound(sqlite, acks)
    seen["acknowledged"] = len(acks)
    return seen


@pytest.mark.usefixtures("strace")
def test_a_call_that_fails_loses_nothing(sqlite: Installation, tmp_path: Path) -> None:
    assert hindered(sqlite, tmp_path, [1, 6, 15])["acknowledged"] > 20


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("strace")
def test_every_call_that_fails_loses_nothing(sqlite: Installation, tmp_path: Path) -> None:
    print(
        f"\nSQLite: EIO or ENOSPC at the nth call: {dict(hindered(sqlite, tmp_path, list(range(1, 301))))}, 0 lost"
    )


HEX = r"((?:\\x[0-9a-f]{2})*)"
WRITE = re.compile(rf'\d+ +pwrite64\(\d+<{HEX}>, "{HEX}", (\d+), (\d+)\) += \d+')
OTHER = re.compile(rf"\d+ +(fdatasync|fsync|ftruncate)\(\d+<{HEX}>(?:, (\d+))?\) += 0")
ACK = re.compile(rf'\d+ +write\(\d+<{HEX}>, "{HEX}"')


def plain(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def name_of(escaped: str) -> str:
    return Path(plain(escaped).decode()).name


class Disk:
    """Files as a disk holds them that has written down for certain only what was synced."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.synced = {name: bytearray(data) for name, data in files.items()}
        self.pending: dict[str, list[tuple[int, bytes] | int]] = {name: [] for name in files}
        self.acks: set[str] = set()

    def take(self, line: str) -> None:
        """One line of the trace."""
        if (found := WRITE.match(line)) and (name := name_of(found[1])) in self.synced:
            self.pending[name].append((int(found[4]), plain(found[2])))
        elif (found := OTHER.match(line)) and (name := name_of(found[2])) in self.synced:
            if found[1] == "ftruncate":
                self.pending[name].append(int(found[3]))
            else:
                self._apply(self.synced[name], self.pending[name])
                self.pending[name] = []
        elif (found := ACK.match(line)) and name_of(found[1]).endswith(".acknowledged"):
            self.acks.add(plain(found[2]).decode().split()[1])

    def after_the_cut(self, chance: random.Random) -> dict[str, bytes]:
        """What is there when the power comes back: of what was not synced, any part."""
        files = {}
        for name, data in self.synced.items():
            kept, share = bytearray(data), chance.choice([0.0, 0.5, 0.9, 1.0])
            self._apply(kept, [w for w in self.pending[name] if chance.random() < share])
            files[name] = bytes(kept)
        return files

    @staticmethod
    def _apply(data: bytearray, writes: list[tuple[int, bytes] | int]) -> None:
        for write in writes:
            if isinstance(write, int):
                del data[write:]
                continue
            at, new = write
            data.extend(bytes(max(0, at - len(data))))
            data[at : at + len(new)] = new


def powerless(sqlite: Installation, folder: Path, cuts: int) -> int:
    """Replay what a process wrote up to a random call, without a part of what was not synced; returns the calls."""
    path = sqlite.folder / "parecer.db"
    before = {"parecer.db": path.read_bytes(), "parecer.db-wal": b""}
    crashing.run(
        sqlite,
        folder / "trace",
        "-xx",
        "-s",
        "100000",
        "-e",
        "trace=pwrite64,write,fdatasync,fsync,ftruncate",
    )
    lines = (folder / "trace").read_text().splitlines()
    assert sum(bool(ACK.match(line)) for line in lines) >= crashing.ROWS
    for n in range(cuts):
        chance, disk = random.Random(n), Disk(before)
        for line in lines[: chance.randrange(len(lines))]:
            disk.take(line)
        for name in ("parecer.db-shm", "parecer.db-wal"):
            (sqlite.folder / name).unlink(missing_ok=True)
        for name, data in disk.after_the_cut(chance).items():
            (sqlite.folder / name).write_bytes(data)
        (sqlite.folder / "keys" / "sealing" / "newest").unlink(missing_ok=True)  # of after the cut
        sound(sqlite, disk.acks)
    return len(lines)


@pytest.mark.usefixtures("strace")
def test_a_power_cut_at_any_call_loses_nothing(sqlite: Installation, tmp_path: Path) -> None:
    assert powerless(sqlite, tmp_path, 10) > 300


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("strace")
def test_a_power_cut_at_many_calls_loses_nothing(sqlite: Installation, tmp_path: Path) -> None:
    calls = powerless(sqlite, tmp_path, 200)
    print(f"\nSQLite: 200 simulated power cuts among {calls} calls, 0 acknowledged lost, 200 of 200 verify")
