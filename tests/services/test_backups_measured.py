"""How long a backup of a large record takes, and putting it back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flask import Flask

from tests.services.test_backups import back_up, newest, predict, put_back
from tests.services.test_predictions import Cast
from webapp.services import sealing

RECORDS, SECONDS = 1_000_000, 60.0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_million_records_are_put_back_within_a_minute(
    app: Flask, actor: Cast, tmp_path: Path, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(RECORDS // 10_000):
        predict(app, actor, 10_000)
    sealing.seal(app.extensions["desk"].seals.keys)
    begun = time.monotonic()
    made = back_up(app, tmp_path / "backup")
    backed_up, begun = time.monotonic() - begun, time.monotonic()
    put_back(app, tmp_path / "backup", newest())
    restored = time.monotonic() - begun
    with capsys.disabled():
        print(
            f"\n{backend}: {made.manifest.predictions} records, {made.manifest.n_bytes / 1e6:.0f} MB; backed up in "
            f"{backed_up:.1f} s, restored in {restored:.1f} s, both with verification"
        )
    assert restored <= SECONDS
