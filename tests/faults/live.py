"""Whether what answered was live when it answered, by the events and records that a database holds."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import Engine, select

from webapp.db import Event, Model, ModelVersion, Prediction


class Reign(NamedTuple):
    """A version was live from `since` until `until`, microseconds; the last one for ever."""

    version: int
    since: int
    until: float


def reigns(engine: Engine, model: str) -> list[Reign]:
    """What was live when, in order; every release must follow on the one before."""
    with engine.connect() as connection:
        rows = connection.execute(
            select(Event.at_us, Event.facts)
            .where(Event.kind.in_(("publish", "promote", "rollback")))
            .order_by(Event.seq)
        ).all()
    told = [(row.at_us, json.loads(row.facts or "{}")) for row in rows]
    made = [(at, facts) for at, facts in told if facts.get("model") == model and facts.get("live")]
    for (_, before), (_, after) in pairwise(made):
        assert after["from"] == before["version"], "a release that was decided upon another state"
    ends = [float(at) for at, _ in made[1:]] + [float("inf")]
    return [Reign(facts["version"], at, end) for (at, facts), end in zip(made, ends, strict=True)]


def check_answers(engine: Engine, model: str) -> int:
    """Every record's version was live at some time between asking and answering; returns how many there are."""
    ruled = reigns(engine, model)
    with engine.connect() as connection:
        rows = connection.execute(
            select(Prediction.created_us, Prediction.finished_us, ModelVersion.number)
            .join(ModelVersion, ModelVersion.id == Prediction.version_id)
            .join(Model, Model.id == Prediction.model_id)
            .where(Model.name == model)
        ).all()
    for row in rows:
        assert any(
            reign.version == row.number and reign.since <= row.finished_us and row.created_us < reign.until
            for reign in ruled
        ), (row, ruled[-3:])
    return len(rows)
