"""What operators watch: what waits, how far sealing is, which versions answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from webapp.db import Alias, Job, Leaf, Log
from webapp.db.base import session, transaction
from webapp.services import jobs, operations, sealing
from webapp.services.clock import made_us, new_id, now_us
from webapp.services.jobs.presence import Presence
from webapp.services.jobs.rows import claim
from webapp.services.jobs.running import run
from webapp.services.people import Actor
from webapp.services.sealing.keys import Keyring

Actors = Callable[[str], Actor]
FILE = b"sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n"
MINUTE_US = 60_000_000


@pytest.fixture
def batch(app: Flask, actor: Actors, tmp_path: Path) -> str:
    """The id of a batch that waits to be checked, since a minute ago."""
    path = tmp_path / "upload"
    path.write_bytes(FILE)
    upload = jobs.Upload(path, "rows.csv", "iris", options={}, on_error="row")
    job = jobs.add(app.extensions["desk"], actor("alice"), upload)
    with transaction() as s:
        s.execute(update(Job).values(moved_us=now_us() - MINUTE_US))
    return job.id


def test_a_batch_waits_until_a_worker_holds_it(app: Flask, batch: str) -> None:
    waiting = operations.standing().jobs
    assert (waiting.waiting, waiting.running) == (1, 0) and 60 <= waiting.oldest_seconds < 90
    assert claim(batch, "somebody") is not None
    assert operations.standing().jobs == (0, 1, 0.0)
    with transaction() as s:  # whoever had it is gone
        s.execute(update(Job).values(lease_us=now_us() - 1))
    assert operations.standing().jobs[:2] == (1, 0)


def test_what_is_done_waits_no_more_and_its_rows_are_counted(app: Flask, batch: str) -> None:
    desk = app.extensions["desk"]
    for _ in range(2):  # checked, then predicted
        run(desk, batch, "nobody", lambda: False)
    assert operations.standing().jobs == (0, 0, 0.0)
    assert desk.meters.take().predictions == {("iris", "1", "setosa", "batch"): 1}


def test_the_lag_is_the_age_of_the_oldest_entry_not_sealed(app: Flask, keys: Keyring, batch: str) -> None:
    sealing.seal(keys)
    assert (operations.standing().unsealed, operations.standing().lag_seconds) == (0, 0)
    with transaction() as s:
        last = s.scalar(select(Leaf).order_by(Leaf.seq.desc()).limit(1))
        assert last is not None
        s.execute(update(Log).values(last_seq=last.seq - 1))
        made = now_us() - MINUTE_US
        s.execute(
            update(Leaf).where(Leaf.seq == last.seq).values(record_id=f"evt_{made // 1000:012x}{0:032x}")
        )
    standing = operations.standing()
    assert standing.unsealed == 1 and 60 <= standing.lag_seconds < 90


def test_the_versions_that_answer_are_told(app: Flask) -> None:
    assert sorted(operations.standing().live) == [("diabetes", "1"), ("iris", "1"), ("purchase", "1")]
    with transaction() as s:
        s.execute(update(Alias).values(name="candidate"))
    assert operations.standing().live == []
    operations.check_ready(app.extensions["desk"])  # who has published nothing yet has to be let in to do so
    session().rollback()


def test_living_workers_are_counted(app: Flask) -> None:
    desk = app.extensions["desk"]
    assert operations.place(desk).workers == 0
    present = Presence(desk.workshop.workers)
    assert operations.place(desk).workers == 1
    present.end()
    assert operations.place(desk).workers == 0


def test_an_id_tells_when_it_was_made() -> None:
    assert abs(made_us(new_id("pred")) - time.time_ns() // 1000) < 1_000_000
    with pytest.raises(ValueError):
        made_us("pred")
