"""Begin a comparison of two versions, end it, and find those that were."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sqlalchemy import select

from webapp.db import Experiment, User
from webapp.db.base import session, transaction
from webapp.db.experiments import SHADOW, SPLIT
from webapp.errors import Conflict, InvalidInput, NotFound, Problem
from webapp.services import audit, registry
from webapp.services.answering import end_comparison
from webapp.services.clock import new_id, now_us
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.releases.standing import releasers_only, take
from webapp.services.releases.trial import attempt
from webapp.wording import Figure, said

LEAST, MOST = 0.001, 0.999


@dataclass(frozen=True, slots=True)
class ExperimentInfo:
    """A comparison; times are microseconds UTC, `share` is 0 to 1."""

    id: str
    model: str
    title: str
    kind: str
    champion: str
    challenger: str
    share: float
    #: None: the operator.
    by: str | None
    started_us: int
    ended_us: int | None


def start(
    desk: Desk,
    actor: Actor | None,
    name: str,
    version: str,
    *,
    kind: str,
    share: float | None = None,
    revision: int | None = None,
) -> ExperimentInfo:
    """Put a version beside the one that is live.

    A shadow repeats `share` of the answers without being shown; a split answers that share of the subjects, or of the
    accounts where no subject is given. Left out, it is all of the answers, or half of the subjects. Raises NotAllowed,
    NotSignedIn, NotFound, NotReady, Outdated, InvalidInput (`#/kind`, `#/share`) and Conflict (it is live, fails its
    trial, answers other questions, or another one runs).
    """
    releasers_only(actor)
    if share is None:
        share = 1.0 if kind == SHADOW else 0.5
    _refuse(kind, share)
    attempt(desk, name, version, actor)
    _refuse_other_values(desk, name, version)
    with transaction() as s:
        model = take(s, name, actor, revision)
        champion = registry.find_version(name, None, None, actor)
        challenger = registry.find_version(name, version, None, actor)
        if champion.id == challenger.id:
            raise Conflict(said("Version {version} answers already.", version=version))
        if champion.task != challenger.task:
            raise Conflict(said("Version {version} answers another kind of question.", version=version))
        if s.scalar(
            select(Experiment.id).where(Experiment.model_id == model.id, Experiment.ended_us.is_(None))
        ):
            raise Conflict(said("Another comparison of {model} runs; end it first.", model=name))
        made = Experiment(
            id=new_id("exp"),
            model_id=model.id,
            champion_id=champion.id,
            challenger_id=challenger.id,
            kind=kind,
            share=share,
            salt=os.urandom(16).hex(),
            started_by=actor.id if actor else None,
            started_us=now_us(),
        )
        s.add(made)
        model.revision += 1
        facts = {
            "model": name,
            "experiment": made.id,
            "comparison": kind,
            "champion": champion.number,
            "challenger": challenger.number,
            "share": share,
            "salt": made.salt,
        }
        audit.append(s, "experiment-started", actor.id if actor else None, facts)
        s.flush()
        return _info(made, actor.username if actor else None)


def end(actor: Actor | None, experiment_id: str, *, revision: int | None = None) -> ExperimentInfo:
    """End a comparison; what it has put on the record stays.

    Raises NotAllowed, NotSignedIn, NotFound, Outdated and Conflict (it has ended).
    """
    releasers_only(actor)
    found = get(actor, experiment_id)
    with transaction() as s:
        model = take(s, found.model, actor, revision)
        if found.ended_us is not None or not end_comparison(s, model, actor):
            raise Conflict(said("This comparison has ended already."))
    return get(actor, experiment_id)


def get(actor: Actor | None, experiment_id: str) -> ExperimentInfo:
    """Raises NotFound, also for one of a model that `actor` may not use."""
    row = (
        session()
        .execute(
            select(Experiment, User.username)
            .outerjoin(User, User.id == Experiment.started_by)
            .where(Experiment.id == experiment_id[:49].replace("\0", ""))
        )
        .first()
    )
    if row is None:
        raise NotFound(said("There is no such comparison."))
    registry.usable(row[0].model.name, actor)
    return _info(*row)


def search(actor: Actor | None, name: str) -> list[ExperimentInfo]:
    """Those of a model, newest first; raises NotFound."""
    model = registry.usable(name, actor)
    rows = session().execute(
        select(Experiment, User.username)
        .outerjoin(User, User.id == Experiment.started_by)
        .where(Experiment.model_id == model.id)
        .order_by(Experiment.id.desc())
    )
    return [_info(*row) for row in rows]


def _refuse_other_values(desk: Desk, name: str, version: str) -> None:
    described = [registry.describe(desk.store, name, v, actor=None) for v in (None, version)]
    if len({frozenset(model.schema.names) for model in described}) > 1:
        raise Conflict(
            said("Version {version} asks for other values than the one that answers.", version=version)
        )


def _refuse(kind: str, share: float) -> None:
    problems = []
    if kind not in (SHADOW, SPLIT):
        problems.append(Problem("#/kind", said("must be shadow or split")))
    elif not (LEAST <= share <= (1.0 if kind == SHADOW else MOST)):
        most = 1.0 if kind == SHADOW else MOST
        told = said(
            "must be a share from {low} to {high}, which is {low_percent} to {high_percent} per cent",
            low=_figure(LEAST),
            high=_figure(most),
            low_percent=_figure(LEAST * 100),
            high_percent=_figure(most * 100),
        )
        problems.append(Problem("#/share", told))
    if problems:
        raise InvalidInput(problems)


def _figure(value: float) -> Figure:
    return Figure(f"{value:g}")


def _info(row: Experiment, username: str | None) -> ExperimentInfo:
    return ExperimentInfo(
        id=row.id,
        model=row.model.name,
        title=row.model.title,
        kind=row.kind,
        champion=str(row.champion.number),
        challenger=str(row.challenger.number),
        share=row.share,
        by=username,
        started_us=row.started_us,
        ended_us=row.ended_us,
    )
