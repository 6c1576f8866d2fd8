"""A process that asks models is refused memory before the system would end it, and goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config import ROOT
from webapp.ml import memory

ASK = """
from pathlib import Path
import numpy as np
from tests.faults.hostile_models import allocates_what_is_asked
from webapp.ml.engines import open_session
from webapp.ml.memory import bound_memory

session = open_session(allocates_what_is_asked())
bound_memory(0, 2**30)
for floats in (10, 10**8, 2**31, 10):
    try:
        session.run(None, {"x": np.array([[floats, 1]], np.float32)})
        print("answered", int(Path("/proc/self/statm").read_text().split()[1]) >> 8, "MB")
    except Exception as error:
        print("refused", type(error).__name__)
"""


def test_a_question_beyond_the_memory_is_refused_and_the_next_is_answered() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, capture_output=True, text=True, timeout=60)
    told = [line.split() for line in done.stdout.splitlines()]
    assert [word for word, *_ in told] == ["answered", "answered", "refused", "answered"], done.stderr
    before, after = int(told[0][1]), int(told[1][1])
    assert after < before + 100  # what it took for 400 MB is given back


def test_a_container_has_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = memory.there_is()
    given = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_LIMITS", (given, tmp_path / "none"))
    given.write_text("max\n")
    assert memory.there_is() >= machine
    given.write_text(f"{2**29}\n")
    assert memory.there_is() == 2**29
