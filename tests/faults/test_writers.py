"""Many processes write and seal at once: no gap, no fork, and nobody who verifies meanwhile is alarmed."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults import writers
from tests.faults.conftest import Installation
from tests.faults.evidence import Evidence, opened, told
from webapp.services.verifying import findings


@pytest.fixture
def evidence(installation: Installation) -> Iterator[Evidence]:
    with opened(installation) as evidence:
        evidence.seal()
        yield evidence


class Sealers(threading.Thread):
    """Two processes that seal, of which one is killed at random moments and another takes its place."""

    def __init__(self, installation: Installation, kills: int) -> None:
        super().__init__(daemon=True)
        self._installation, self._kills = installation, kills
        self._readers: list[threading.Thread] = []
        self._ready: set[int] = set()
        self.killed = 0
        #: Every checkpoint that anybody was shown.
        self.notes: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        rivals = [self._start(), self._start()]
        while not self.over.wait(0.05):
            if self.killed < self._kills and rivals[0].pid in self._ready:
                time.sleep(random.uniform(0, 0.3))
                rivals[0].kill()
                self.killed += 1
                rivals = [rivals[1], self._start()]
        for rival in rivals:
            rival.kill()
        for reader in self._readers:
            reader.join(10)

    def _start(self) -> subprocess.Popen[str]:
        process = writers.start(self._installation, "seal")
        self._readers.append(threading.Thread(target=self._read, args=[process], daemon=True))
        self._readers[-1].start()
        return process

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n") and line != "ready\n":
                self.notes.append(line[:-1].replace("\\n", "\n"))
                self._ready.add(process.pid)
        process.communicate()


def race(evidence: Evidence, processes: int, rows: int, kills: int) -> tuple[Sealers, int]:
    """Let them write and seal, and verify meanwhile; returns the sealers, and how often was verified."""
    sealers, verified = Sealers(evidence.installation, kills), 0
    started = [writers.start(evidence.installation, "write", rows, 50) for _ in range(processes)]
    sealers.start()
    try:
        with writers.working(started):
            while any(process.poll() is None for process in started) or sealers.killed < kills:
                assert told(evidence.verify(*sealers.notes[-50:])) == ""
                verified += 1
            assert [process.returncode for process in started] == [0] * processes
    finally:
        sealers.over.set()
        sealers.join(30)
    return sealers, verified


def check(evidence: Evidence, sealers: Sealers, written: int) -> None:
    """All is there, in one tree, to which every checkpoint belongs that anybody was shown."""
    evidence.seal()
    found = evidence.verify(*sealers.notes)
    assert told(found) == ""
    assert (found.predictions, found.unsealed) == (written, 0)
    assert len(found.outside) == len(sealers.notes) > 0
    evidence.installation.ledger().check_leaves()


def test_writers_and_rival_sealers_make_one_tree(evidence: Evidence) -> None:
    sealers, _ = race(evidence, 4, 300, kills=2)
    check(evidence, sealers, 4 * 300)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_writers_and_rival_sealers_make_one_tree(evidence: Evidence) -> None:
    begun = time.monotonic()
    sealers, verified = race(evidence, 8, 5_000, kills=20)
    check(evidence, sealers, 8 * 5_000)
    print(
        f"\n{evidence.kind}: 8 writers x 5,000 in {time.monotonic() - begun:.0f} s, {sealers.killed} sealers killed, "
        f"{len(sealers.notes)} checkpoints shown and all in one tree, {verified} verifications meanwhile, 0 alarms"
    )


def quiet(evidence: Evidence, processes: int, verifications: int) -> int:
    """Verify while others write and seal; returns how many entries there are at the end."""
    found = findings.Findings()
    started = [writers.start(evidence.installation, "write", writers.FOREVER, 1) for _ in range(processes)]
    with writers.working([*started, writers.start(evidence.installation, "seal")]):
        for _ in range(verifications):
            found = evidence.verify()
            assert told(found) == ""
    return found.size + found.unsealed


def test_nobody_is_alarmed_while_others_write(evidence: Evidence) -> None:
    assert quiet(evidence, 3, 20) > 4


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_verifications_alarm_nobody(evidence: Evidence) -> None:
    entries = quiet(evidence, 8, 1_000)
    print(f"\n{evidence.kind}: 1,000 verifications beside 8 writers, {entries} entries in the end, 0 alarms")
