"""A challenger answers again what was just answered, when nobody waits for it any more."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import insert, select

from webapp.db import Leaf, Prediction
from webapp.db.base import session, transaction
from webapp.db.commits import PREDICTION_COLUMNS, Writer
from webapp.db.predictions import SHADOW
from webapp.errors import AppError
from webapp.services.desk import SLOW, Desk
from webapp.services.predictions.asks import Ask
from webapp.services.predictions.sheet import Given, Sheet
from webapp.services.repeats import Repeat


def repeat(desk: Desk, part: list[Repeat]) -> None:
    """Have challengers answer, and keep what they say."""
    _keep([sheet for one in part if (sheet := _answer(desk, one)) is not None])


def _answer(desk: Desk, one: Repeat) -> Sheet | None:
    """The challenger's answer; None where the row is none that it takes, or it has no answer."""
    chosen, started = one.running.challenger, time.time_ns()
    begun = time.perf_counter_ns()
    checked = chosen.predictor.schema.check(one.received)
    if checked.problems:
        return None
    check_us = (time.perf_counter_ns() - begun) // 1000
    predict, rows = chosen.predictor.predict, [checked.values]
    begun = time.perf_counter_ns()
    try:
        answer = desk.offload(predict, rows) if chosen.predictor.cost(1) > SLOW else predict(rows)
    except AppError:
        return None
    timings = {"check": check_us, "predict": (time.perf_counter_ns() - begun) // 1000}
    ask = Ask(chosen.model, rows, SHADOW, one.record, started, subject=one.subject)
    ask.experiment = one.running.id
    sheet = Sheet(one.actor, ask, chosen, timings)
    shares = None if answer.probabilities is None else answer.probabilities[0]
    sheet.write(one.received, checked, Given(answer.values[0], shares, answer.engine, False))
    return sheet


def _keep(sheets: list[Sheet]) -> None:
    """Put answers on the record, each with its leaf, but those whose record has been erased or restricted since."""
    if not sheets:
        return
    with transaction() as s:
        shown = {sheet.ask.request_id for sheet in sheets}
        held = select(Prediction.id).where(Prediction.id.in_(shown), Prediction.state == "active")
        active = set(
            s.scalars(held.with_for_update(read=True))
        )  # an erasure waits until these are there to be erased
        rows: list[dict[str, Any]] = []
        leaves: list[dict[str, Any]] = []
        writer = Writer()
        for sheet in sheets:
            if sheet.ask.request_id in active:
                row = dict(zip(PREDICTION_COLUMNS, sheet.rows[0], strict=True))
                canonical, digest = writer.leaf(sheet.heads[0], len(rows))
                rows.append(row)
                leaves.append(
                    {
                        "record_id": row["id"],
                        "kind": "prediction",
                        "canonical": canonical,
                        "hash": digest,
                        "writer": writer.id,
                        "writer_seq": len(leaves),
                    }
                )
        if rows:
            s.execute(insert(Prediction), rows)
            s.execute(insert(Leaf), leaves)
    session().rollback()
