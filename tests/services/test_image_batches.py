"""Batches of images and of rankings, and what the record holds of them."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select, text

from tests.demo_desk import packaged, publish_demo
from tests.ml.hostile_images import text as base64
from tests.services.test_jobs import predicted, records, result, work
from webapp.db import Prediction
from webapp.db.base import session, transaction
from webapp.services import jobs, sealing
from webapp.services.desk import Desk
from webapp.services.jobs import columns
from webapp.services.jobs.rows import JobView
from webapp.services.people import Actor
from webapp.services.predictions import Ask, make
from webapp.services.sealing.keys import Keyring
from webapp.services.verifying import verify

Actors = Callable[[str], Actor]


def batch(app: Flask, who: Actor, tmp_path: Path, model: str, table: str | bytes, name: str) -> JobView:
    path = tmp_path / "upload"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    job = jobs.add(app.extensions["desk"], who, jobs.Upload(path, name, model))
    return work(app, job.id)


def large() -> str:
    """An image near the limit, of which a cell has nearly a million characters."""
    made = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (800, 870), np.uint8)
    Image.fromarray(noise).save(made, "PNG")
    return base64(made.getvalue())


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_batch_takes_images_up_to_their_limit(
    app: Flask, actor: Actors, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_demo(app, "digits")
    monkeypatch.setattr(columns, "MOST_NUMBERS", 3 * 64)  # three images a chunk
    texts = [*packaged("digits")[3]["image"].head(7), large(), "no image"]
    lines = ["image", *texts] if format == "csv" else [orjson.dumps({"image": t}).decode() for t in texts]
    job = batch(app, actor("alice"), tmp_path, "digits", "\n".join(lines) + "\n", f"rows.{format}")
    assert (job.state, job.n_rows, job.bad_rows) == ("checked", 9, 1), job.details
    done = predicted(app, actor("alice"), job)
    estimator, truth = packaged("digits")[2], packaged("digits")[3].head(7)
    from webapp.ml.demos.digits import numbers

    csv.field_size_limit(1_000_000)
    rows = result(app, actor("alice"), done)
    assert [r["label"] for r in rows][:7] == estimator.predict(numbers(truth)).tolist()
    assert [orjson.loads(r.inputs or "")["received"] for r in records(done)] == [
        {"image": t} for t in texts[:8]
    ]
    assert rows[8]["error"].startswith("image: Image is not base64")


def test_a_batch_of_rankings_lists_their_items(app: Flask, actor: Actors, tmp_path: Path) -> None:
    publish_demo(app, "recommendation")
    X = packaged("recommendation")[3].head(5)
    job = batch(app, actor("alice"), tmp_path, "recommendation", X.to_csv(index=False), "rows.csv")
    done = predicted(app, actor("alice"), job)
    rows = result(app, actor("alice"), done)
    items = [orjson.loads(row["prediction"]) for row in rows]
    assert [len(one) for one in items] == [5] * 5
    assert [one[0] for one in items] == [row["label"] for row in rows]
    assert not [name for name in rows[0] if name.startswith("p(")]


def test_a_changed_score_of_a_ranking_is_found(desk: Desk, app: Flask, actor: Actors, keys: Keyring) -> None:
    publish_demo(app, "recommendation")
    row = packaged("recommendation")[3].head(1).to_dict("records")[0]
    [made] = make(desk, actor("alice"), Ask("recommendation", [row], "api", "r", time.time_ns()))
    sealing.seal(keys)
    session().rollback()
    kept = session().scalar(select(Prediction).where(Prediction.label == made.label))
    assert kept is not None
    assert kept.score == pytest.approx(made.ranking[0]["score"])
    assert not verify(keys).altered
    with transaction() as current:
        current.execute(text("UPDATE predictions SET score = 0.99"))
    assert len(verify(keys).altered) == 1
