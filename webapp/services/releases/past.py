"""What was live when: the releases that events on the record tell of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson
from sqlalchemy import ColumnElement, select

from webapp.db import Event, User
from webapp.db.base import session
from webapp.errors import NotAllowed
from webapp.services import registry
from webapp.services.people import Actor
from webapp.services.verifying.agreement.live import LIVE_KINDS
from webapp.wording import said


@dataclass(frozen=True, slots=True)
class Release:
    """A version began to answer at `at_us` (microseconds UTC), until the next release; `event` says so."""

    model: str
    version: str
    artifact: str
    at_us: int
    #: publish, promote or rollback.
    kind: str
    #: None: the operator.
    by: str | None
    event: str
    #: The version that answered until then; None: none.
    instead_of: str | None = None
    reason: str = ""
    #: Who asked for it, where a second person approved.
    asked_by: str | None = None
    #: When the next one began; None: it answers still.
    until_us: int | None = None


def history(name: str, *, actor: Actor | None) -> list[Release]:
    """The releases of a model, newest first; raises NotFound, also for a model that `actor` may not use."""
    registry.usable(name, actor)
    # Names have no character that JSON, or LIKE, spells otherwise; whether it is the model is asked below.
    told = _told(Event.facts.contains(f'"model":"{name}"', autoescape=True))
    found: list[Release] = []
    until_us = None
    for release in reversed([release for release in told if release.model == name]):
        found.append(replace(release, until_us=until_us))
        until_us = release.at_us
    return found


def live_at(actor: Actor, at_us: int) -> list[Release]:
    """What answered at a time, a line a model, by name; raises NotAllowed."""
    if not actor.sees_all:
        raise NotAllowed(said("Only auditors and admins see what others do."))
    found = {release.model: release for release in _told(Event.at_us <= at_us)}
    return [found[name] for name in sorted(found)]


def _told(condition: ColumnElement[bool]) -> Iterator[Release]:
    """Releases in order of time."""
    rows = session().execute(
        select(Event.id, Event.kind, Event.at_us, Event.facts, User.username)
        .outerjoin(User, User.id == Event.user_id)
        .where(Event.kind.in_(LIVE_KINDS), condition)
        .order_by(Event.seq)
    )
    for row in rows:
        if (release := _release(row.id, row.kind, row.at_us, row.facts, row.username)) is not None:
            yield release


def _release(event_id: str, kind: str, at_us: int, text: str | None, username: str | None) -> Release | None:
    facts = orjson.loads(text) if text else {}
    if not facts.get("live"):
        return None
    before = facts.get("from")
    return Release(
        model=facts["model"],
        version=str(facts["version"]),
        artifact=facts.get("artifact", ""),
        at_us=at_us,
        kind=kind,
        by=username,
        event=event_id,
        instead_of=None if before is None else str(before),
        reason=facts.get("reason", ""),
        asked_by=facts.get("asked_by"),
    )
