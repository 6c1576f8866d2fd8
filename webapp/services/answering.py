"""The one place where it changes which version answers: by publishing, promoting, rolling back."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.db import Alias, Experiment, Model, ModelVersion, PromotionRequest
from webapp.db.registry import CANDIDATE, LIVE
from webapp.services import audit
from webapp.services.clock import now_us
from webapp.services.people import Actor


def make_live(s: Session, model: Model, row: ModelVersion, actor: Actor | None) -> ModelVersion | None:
    """Let a version answer from the caller's commit on; returns the one that did before.

    What was decided upon the one before is over: a promotion that waits, a comparison with it, its candidate if this
    is it.
    """
    before = point(s, model, LIVE, row)
    candidate = s.get(Alias, (model.id, CANDIDATE), populate_existing=True)
    if candidate is not None and candidate.version_id == row.id:
        s.delete(candidate)
    s.execute(
        update(PromotionRequest)
        .where(PromotionRequest.model_id == model.id, PromotionRequest.state == "waiting")
        .values(state="outdated", decided_us=now_us())
    )
    end_comparison(s, model, actor)
    return before


def point(s: Session, model: Model, alias: str, row: ModelVersion) -> ModelVersion | None:
    """Let an alias lead to a version from the caller's commit on; returns the one it led to before."""
    known = s.get(Alias, (model.id, alias), populate_existing=True)
    before = None if known is None else known.version
    s.merge(Alias(model_id=model.id, name=alias, version_id=row.id))
    return before


def proof(row: ModelVersion) -> dict[str, str]:
    """What an event says of a version, by which its files can be told from any others."""
    return {"artifact": row.digest, "manifest": row.manifest_hash, "schema": row.schema_hash}


def end_comparison(s: Session, model: Model, actor: Actor | None) -> bool:
    """End whatever comparison of a model runs, inside the caller's transaction; whether there was one."""
    running = s.scalar(
        select(Experiment.id).where(Experiment.model_id == model.id, Experiment.ended_us.is_(None))
    )
    if running is None:
        return False
    s.execute(update(Experiment).where(Experiment.id == running).values(ended_us=now_us()))
    model.revision += 1
    facts = {"model": model.name, "experiment": running}
    audit.append(s, "experiment-ended", actor.id if actor else None, facts)
    return True
