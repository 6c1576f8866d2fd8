"""Backups and restores that are killed at any step: what was there stays, or what was to come is there, whole."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.services.test_backups import answers, back_up, let_go, newest, predict, put_back, quiet
from tests.services.test_predictions import Cast
from webapp import preparation
from webapp.errors import Conflict
from webapp.services import sealing
from webapp.services.backups import restoring
from webapp.services.backups.serving import Serving
from webapp.services.verifying import verify


def killed(step: int, work: Callable[[], Any]) -> bool:
    """Do the work in a process that is killed at its n-th write to disk or move of a file; whether it came so far."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    count = itertools.count(1)

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    try:
        for name in ("fsync", "fdatasync", "rename", "replace", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        work()
        os._exit(0)
    finally:
        os._exit(1)


forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@forks
def test_a_backup_that_is_killed_is_not_there(app: Flask, actor: Cast, tmp_path: Path) -> None:
    folder, place = tmp_path / "there" / "backup", app.extensions["installation"]
    folder.parent.mkdir()
    predict(app, actor, 20)
    keys, steps = app.extensions["desk"].seals.keys, 0
    for step in range(1, 500, 4):
        let_go(app)
        if not killed(step, lambda: back_up(app, folder)):
            break
        steps += 1
        if folder.exists():  # the last step of all
            restoring.examine(place, keys, folder, [], preparation.revisions(), quiet)
            break
        assert verify(keys).sound
    assert steps > 5
    assert [p.name for p in folder.parent.iterdir()] == ["backup"]
    assert [p.name for p in folder.parent.glob(".*")] == []


@forks
@pytest.mark.timeout(600)
def test_a_restore_that_is_killed_leaves_the_old_state_or_the_new(
    app: Flask, actor: Cast, tmp_path: Path
) -> None:
    place, keys = app.extensions["installation"], app.extensions["desk"].seals.keys
    predict(app, actor, 20)
    (place.data_dir / "erasures.jsonl").write_text('{"records":[]}\n')
    folder = tmp_path / "backup"
    back_up(app, folder, keys=True)
    kept, ends = answers(), {"old": 0, "new": 0, "settled": 0}
    (place.keys / "secret_key").write_text("another")
    for step in range(1, 500, 1 if place.kind == "sqlite" else 2):
        predict(app, actor, 2)
        sealing.seal(keys)
        before = answers()
        let_go(app)
        if not killed(step, lambda: put_back(app, folder)):
            break
        if (place.data_dir / "restoring").exists():
            with pytest.raises(Conflict, match="cut short"):
                Serving(place.data_dir)
            ends["settled"] += 1
        preparation.prepare(app, place.data_dir / "prepare.lock", demos=False)
        now = answers()
        assert now in (before, kept), f"step {step}"
        ends["old" if now == before else "new"] += 1
        assert [a.what for a in verify(keys).altered] == [], f"step {step}"
        sealing.seal_and_tell(keys)
    print(ends)
    assert min(ends.values()) > 0
    assert answers() == kept
    assert newest().note is not None and verify(keys, [newest()]).sound
    assert not list(place.data_dir.glob(".restoring*"))
