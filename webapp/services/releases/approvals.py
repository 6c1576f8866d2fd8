"""Two people: what one asks to promote, another approves or refuses."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.db import Model, PromotionRequest, User
from webapp.db.base import transaction
from webapp.errors import Conflict, NotAllowed, NotFound
from webapp.services import audit, reasons
from webapp.services.answering import proof
from webapp.services.clock import now_us
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.releases.moving import Released, answer_with
from webapp.services.releases.standing import releasers_only, standing, take
from webapp.services.releases.trial import attempt
from webapp.wording import said


def require_two(actor: Actor | None, name: str, two_people: bool) -> None:
    """Set whether a second person has to approve what one promotes. Raises NotAllowed, NotSignedIn, NotFound."""
    if actor is not None and actor.role != "admin":
        raise NotAllowed(said("Only admins decide how many people a release needs; ask one of them."))
    with transaction() as s:
        model = take(s, name, actor, None)
        if model.two_people == two_people:
            return
        model.two_people = two_people
        model.revision += 1
        facts = {"model": name, "two_people": two_people}
        audit.append(s, "release-rule", actor.id if actor else None, facts)


def approve(
    desk: Desk, actor: Actor, name: str, request_id: str, *, reason: str = "", revision: int | None
) -> Released:
    """Let the version that somebody else asked for answer from now on.

    Raises NotAllowed (also for who asked), NotSignedIn, NotFound, NotReady, InvalidInput, Conflict and Outdated.
    """
    releasers_only(actor)
    note = reasons.read(reason)
    waiting = standing(name, actor=actor).request
    if waiting is None or waiting.id != request_id:
        raise _gone()
    trial = attempt(desk, name, waiting.version, actor)
    with transaction() as s:
        model = take(s, name, actor, revision)
        asked = _waiting(s, model, request_id)
        if asked.asked_by == actor.id:
            raise NotAllowed(said("Somebody else has to approve what you asked for."))
        _close(asked, "approved", actor)
        s.flush()  # so that the release does not take it for one that waits
        facts = {"reason": asked.reason, "asked_by": asked.asker.username, "request": asked.id}
        if note:
            facts["remark"] = note
        return answer_with(s, model, asked.version, actor, "promote", facts | trial.facts())


def refuse(actor: Actor, name: str, request_id: str, *, reason: str, revision: int | None) -> int:
    """Decide against what somebody else asked for; returns the new revision. Raises as `approve`."""
    why = reasons.read(reason, said("say why; it goes on the record"))
    return _end(actor, name, request_id, "refused", {"reason": why}, revision)


def withdraw(actor: Actor, name: str, request_id: str, *, revision: int | None) -> int:
    """Take back what one asked for; returns the new revision. Raises as `approve`."""
    return _end(actor, name, request_id, "withdrawn", {}, revision)


def _end(
    actor: Actor, name: str, request_id: str, state: str, facts: dict[str, str], revision: int | None
) -> int:
    releasers_only(actor)
    with transaction() as s:
        model = take(s, name, actor, revision)
        asked = _waiting(s, model, request_id)
        if (asked.asked_by == actor.id) != (state == "withdrawn"):
            raise NotAllowed(said("Who asked may withdraw it; somebody else may refuse it."))
        _close(asked, state, actor)
        model.revision += 1
        asker = s.get_one(User, asked.asked_by).username
        told = {"model": name, "version": asked.version.number, "asked_by": asker, "request": asked.id}
        audit.append(s, f"promotion-{state}", actor.id, told | proof(asked.version) | facts)
        return model.revision


def _waiting(s: Session, model: Model, request_id: str) -> PromotionRequest:
    asked = s.get(PromotionRequest, request_id, populate_existing=True)
    if asked is None or asked.model_id != model.id:
        raise _gone()
    if asked.state != "waiting":
        raise Conflict(said("This promotion has been decided already."))
    return asked


def _close(asked: PromotionRequest, state: str, actor: Actor) -> None:
    asked.state, asked.decided_by, asked.decided_us = state, actor.id, now_us()


def _gone() -> NotFound:
    return NotFound(said("There is no such promotion waiting."))
