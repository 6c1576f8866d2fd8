"""Moving aliases: every change is tried first, made once, and on the record with who and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.db import Alias, Model, ModelVersion, PromotionRequest
from webapp.db.base import transaction
from webapp.db.registry import LIVE
from webapp.errors import Conflict, InvalidInput, NotFound, Problem
from webapp.ml.store import MODEL_NAME
from webapp.services import audit, reasons, registry
from webapp.services.answering import make_live, point, proof
from webapp.services.clock import new_id, now_us
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.releases import past
from webapp.services.releases.standing import releasers_only, take
from webapp.services.releases.trial import attempt
from webapp.wording import said

WHY = said("say why; it goes on the record")


@dataclass(frozen=True, slots=True)
class Released:
    """What a change came to: the version that an alias leads to by now, or that waits for a second person."""

    model: str
    alias: str
    version: str
    revision: int
    #: The event on the record.
    event: str
    #: The request, where a second person has to approve.
    waiting: str | None = None


def promote(
    desk: Desk, actor: Actor | None, name: str, version: str, *, reason: str, revision: int | None
) -> Released:
    """Make a version the one that answers, from this moment on every worker; `revision` is what was decided upon.

    Where two people decide, this asks the second one. Raises NotAllowed, NotSignedIn, NotFound, NotReady, InvalidInput
    (`#/reason`), Conflict (it answers already, fails its trial, or another request waits) and Outdated.
    """
    releasers_only(actor)
    why = reasons.read(reason, WHY)
    trial = attempt(desk, name, version, actor)
    with transaction() as s:
        model = take(s, name, actor, revision)
        row = registry.find_version(name, version, None, actor)
        if _live(s, model) == row.id:
            raise Conflict(said("Version {version} answers already.", version=version))
        if model.two_people and actor is not None:
            return _ask(s, model, row, actor, why)
        return answer_with(s, model, row, actor, "promote", {"reason": why, **trial.facts()})


def roll_back(
    desk: Desk, actor: Actor | None, name: str, version: str | None, *, reason: str, revision: int | None
) -> Released:
    """Let an earlier live version answer again; without `version`, the one before the present.

    Needs no second person: it undoes what two have decided, and must not wait. Raises as `promote`, and Conflict for a
    version that was never live.
    """
    releasers_only(actor)
    why = reasons.read(reason)
    version = version or _one_before(name, actor)
    trial = attempt(desk, name, version, actor)
    with transaction() as s:
        model = take(s, name, actor, revision)
        row = registry.find_version(name, version, None, actor)
        if _live(s, model) == row.id:
            raise Conflict(said("Version {version} answers already.", version=version))
        if str(row.number) not in {r.version for r in past.history(name, actor=actor)}:
            raise Conflict(said("Version {version} was never live; promote it instead.", version=version))
        return answer_with(s, model, row, actor, "rollback", {"reason": why, **trial.facts()})


def set_alias(
    desk: Desk, actor: Actor | None, name: str, alias: str, version: str, *, revision: int | None
) -> Released:
    """Let an alias other than `live` lead to a version that passes its trial; `candidate` puts it forward.

    Raises as `promote`, and InvalidInput (`#/alias`).
    """
    releasers_only(actor)
    _refuse_alias(alias)
    trial = attempt(desk, name, version, actor)
    with transaction() as s:
        model = take(s, name, actor, revision)
        row = registry.find_version(name, version, None, actor)
        before = point(s, model, alias, row)
        if before is not None and before.id == row.id:
            raise Conflict(said("{alias} leads to version {version} already.", alias=alias, version=version))
        facts = {"alias": alias, "version": row.number, **proof(row), **_from(before)}
        return _changed(s, model, actor, "alias", alias, version, facts | trial.facts())


def drop_alias(actor: Actor | None, name: str, alias: str, *, revision: int | None) -> int:
    """Take an alias away; returns the new revision. Raises as `set_alias`, and NotFound for one that is not there."""
    releasers_only(actor)
    _refuse_alias(alias)
    with transaction() as s:
        model = take(s, name, actor, revision)
        known = s.get(Alias, (model.id, alias), populate_existing=True)
        if known is None:
            raise NotFound(said("{model} has no alias {alias}.", model=name, alias=repr(alias[:63])))
        facts = {"alias": alias, "version": None, **_from(known.version)}
        s.delete(known)
        return _changed(s, model, actor, "alias", alias, "", facts).revision


def answer_with(
    s: Session, model: Model, row: ModelVersion, actor: Actor | None, kind: str, facts: dict[str, Any]
) -> Released:
    """Make `row` live, inside the transaction in which the caller took the model."""
    before = make_live(s, model, row, actor)
    told = {"version": row.number, **proof(row), "live": True, **_from(before), **facts}
    return _changed(s, model, actor, kind, LIVE, str(row.number), told)


def _changed(
    s: Session,
    model: Model,
    actor: Actor | None,
    kind: str,
    alias: str,
    version: str,
    facts: dict[str, Any],
) -> Released:
    model.revision += 1
    event = audit.append(s, kind, actor.id if actor else None, {"model": model.name, **facts})
    return Released(model.name, alias, version, model.revision, event)


def _ask(s: Session, model: Model, row: ModelVersion, actor: Actor, why: str) -> Released:
    waiting = select(PromotionRequest.id).where(
        PromotionRequest.model_id == model.id, PromotionRequest.state == "waiting"
    )
    if s.scalar(waiting):
        raise Conflict(said("Another promotion of {model} waits to be decided.", model=model.name))
    asked = PromotionRequest(
        id=new_id("ask"),
        model_id=model.id,
        version_id=row.id,
        reason=why,
        asked_by=actor.id,
        asked_us=now_us(),
    )
    s.add(asked)
    facts = {"version": row.number, **proof(row), "reason": why, "request": asked.id}
    made = _changed(s, model, actor, "promotion-asked", LIVE, str(row.number), facts)
    return Released(made.model, LIVE, made.version, made.revision, made.event, asked.id)


def _live(s: Session, model: Model) -> int | None:
    return s.scalar(select(Alias.version_id).where(Alias.model_id == model.id, Alias.name == LIVE))


def _from(before: ModelVersion | None) -> dict[str, int]:
    return {} if before is None else {"from": before.number}


def _one_before(name: str, actor: Actor | None) -> str:
    releases = past.history(name, actor=actor)
    if len(releases) < 2:
        raise Conflict(said("No other version of {model} was live before.", model=name))
    return releases[1].version


def _refuse_alias(alias: str) -> None:
    if alias == LIVE:
        told = said("is moved by promoting a version, or by rolling back")
    elif not MODEL_NAME.fullmatch(alias) or alias.isdigit():
        told = said("must be 1 to 63 of a-z, 0-9 and -, not a number alone, and not start with -")
    else:
        return
    raise InvalidInput([Problem("#/alias", told)])
