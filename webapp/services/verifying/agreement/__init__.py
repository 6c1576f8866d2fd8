"""Whether what stands beside the leaves agrees with them, as far as their events can be believed."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from webapp.services.verifying.agreement import letting_go, live, notes, strangers
from webapp.services.verifying.findings import Findings


def check(connection: Connection, findings: Findings, good: Collection[str]) -> None:
    """Note what disagrees; `good` are the ids of the events of kinds leaves.STATEFUL whose leaves are sound."""
    strangers.check(connection, findings)
    letting_go.check(connection, findings, good)
    notes.check(connection, findings, good)
    live.check(connection, findings, good)
