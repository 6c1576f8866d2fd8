"""How the versions of a model stand now, and the state that a change is decided upon."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from webapp.db import Alias, Model, ModelVersion, PromotionRequest, User
from webapp.db.base import session
from webapp.db.changes import REGISTRY, bump, wait_for_writers
from webapp.db.registry import LIVE
from webapp.errors import NotAllowed, Outdated
from webapp.services import people, registry
from webapp.services.people import Actor
from webapp.wording import said

MAY_RELEASE = frozenset({"publisher", "admin"})


@dataclass(frozen=True, slots=True)
class Request:
    """A version that somebody asks to make live, waiting for a second person; `at_us` is microseconds UTC."""

    id: str
    version: str
    reason: str
    by: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Aliases by name with the versions they lead to; `revision` grows with every change of the model."""

    model: str
    title: str
    revision: int
    two_people: bool
    aliases: dict[str, str]
    request: Request | None

    @property
    def live(self) -> str | None:
        """The version that answers where none is named."""
        return self.aliases.get(LIVE)


def standing(name: str, *, actor: Actor | None) -> Standing:
    """Raises NotFound, also for a model that `actor` may not use."""
    model = registry.usable(name, actor)
    session().refresh(model)
    rows = session().execute(
        select(Alias.name, ModelVersion.number)
        .join(ModelVersion, ModelVersion.id == Alias.version_id)
        .where(Alias.model_id == model.id)
        .order_by(Alias.name != LIVE, Alias.name)
    )
    aliases = {alias: str(number) for alias, number in rows}
    return Standing(name, model.title, model.revision, model.two_people, aliases, _request(model))


def _request(model: Model) -> Request | None:
    asker = aliased(User)
    row = (
        session()
        .execute(
            select(PromotionRequest, ModelVersion.number, asker.username)
            .join(ModelVersion, ModelVersion.id == PromotionRequest.version_id)
            .join(asker, asker.id == PromotionRequest.asked_by)
            .where(PromotionRequest.model_id == model.id, PromotionRequest.state == "waiting")
        )
        .first()
    )
    if row is None:
        return None
    request, number, username = row
    return Request(request.id, str(number), request.reason, username, request.asked_us)


def take(s: Session, name: str, actor: Actor | None, revision: int | None) -> Model:
    """The model, nobody else's to change until the transaction ends; `actor` decided at `revision`, or None: at any.

    Raises NotAllowed, NotSignedIn, NotFound, Outdated.
    """
    releasers_only(actor)
    if actor is not None:
        people.queue(s, actor)
    wait_for_writers(s)  # so that no answer found before is committed after the time that the event bears
    bump(s, REGISTRY)  # whose row every writer of models waits for; always after the lock above
    model = registry.usable(name, actor)
    s.refresh(model)
    if revision is not None and model.revision != revision:
        raise Outdated(
            said("{model} has changed since you looked at it; look again, and decide anew.", model=name)
        )
    return model


def releasers_only(actor: Actor | None) -> None:
    """Raises NotAllowed for who neither publishes nor administers; None is the operator."""
    if actor is not None and actor.role not in MAY_RELEASE:
        raise NotAllowed(said("Only publishers and admins decide which version answers; ask one of them."))
