"""What was erased after a backup is erased again when it is restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.services.test_backups import back_up, put_back
from tests.services.test_predictions import SETOSA, Cast, ask, session
from webapp.db import Prediction
from webapp.services import predictions, sealing
from webapp.services.verifying import verify

erasure: Any = pytest.importorskip("webapp.services.erasure")


def test_a_backup_from_before_an_erasure_brings_nothing_back(app: Flask, actor: Cast, tmp_path: Path) -> None:
    from webapp.services.targets import Target

    desk = app.extensions["desk"]
    made = predictions.make(desk, actor("alice"), ask(*[SETOSA] * 7, subject="patient 7"))
    kept = predictions.make(desk, actor("alice"), ask(*[SETOSA] * 3, subject="patient 8"))
    back_up(app, tmp_path / "backup")
    order = erasure.Order("lgpd-18-vi", requested_by="subject", typed=erasure.EARLY[0])
    erasure.erase(desk, actor("dave"), Target(subject="patient 7"), order)
    sealing.seal(desk.seals.keys)
    put_back(app, tmp_path / "backup")
    rows = {row.id: row for row in session().query(Prediction)}
    assert {rows[m.id].state for m in made} == {"erased"}
    assert {rows[m.id].inputs for m in made} == {None}
    assert {rows[m.id].state for m in kept} == {"active"}
    found = verify(desk.seals.keys)
    assert found.sound and found.erased == 7
