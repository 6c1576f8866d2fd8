"""What this installation is run with, as far as it is nobody's secret: on the record whenever it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import select

from webapp.db import Event
from webapp.db.base import session, transaction
from webapp.services import audit

KIND = "settings"


def note(now: Mapping[str, str]) -> bool:
    """Put the settings of this start on the record if they differ from those there; returns whether they did.

    `now` is name → value, of those that are set to something else than their default.
    """
    if _last() == now:
        return False
    with transaction() as current:
        audit.append(current, KIND, None, {"settings": dict(now)})
    return True


def _last() -> Any:
    facts = session().scalar(
        select(Event.facts).where(Event.kind == KIND).order_by(Event.at_us.desc(), Event.seq.desc()).limit(1)
    )
    session().rollback()
    return orjson.loads(facts)["settings"] if facts else None
