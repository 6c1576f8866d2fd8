"""What was live when: the versions that events on the record made answer."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from sqlalchemy import select

from webapp.db import Event, User
from webapp.db.base import session
from webapp.errors import NotAllowed
from webapp.services.people import Actor
from webapp.services.verifying.agreement.live import LIVE_KINDS
from webapp.wording import said


@dataclass(frozen=True, slots=True)
class Live:
    """The version of a model that answered, since when, and the event that says so; `at_us` is microseconds UTC."""

    model: str
    version: str
    artifact: str
    at_us: int
    kind: str
    #: None: the operator.
    by: str | None
    event: str


def live_at(actor: Actor, at_us: int) -> list[Live]:
    """What answered at a time, a line a model, by name; raises NotAllowed."""
    if not actor.sees_all:
        raise NotAllowed(said("Only auditors and admins see what others do."))
    found: dict[str, Live] = {}
    rows = session().execute(
        select(Event.id, Event.kind, Event.at_us, Event.facts, User.username)
        .outerjoin(User, User.id == Event.user_id)
        .where(Event.kind.in_(LIVE_KINDS), Event.at_us <= at_us)
        .order_by(Event.at_us, Event.seq)
    )
    for row in rows:
        facts = orjson.loads(row.facts) if row.facts else {}
        if facts.get("live"):
            name, version, artifact = facts["model"], str(facts["version"]), facts.get("artifact", "")
            found[name] = Live(name, version, artifact, row.at_us, row.kind, row.username, row.id)
    return [found[name] for name in sorted(found)]
