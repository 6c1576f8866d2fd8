"""What answers, held against the events that made it answer."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from webapp.db import Alias, Model, ModelVersion
from webapp.db.registry import LIVE
from webapp.services.verifying.agreement import events
from webapp.services.verifying.findings import Findings
from webapp.wording import said

#: Events whose facts say, with `live`, that a version answers from then on.
LIVE_KINDS = ("publish", "promote", "rollback")
OTHER_LIVE = said("the version that answers is not the one made live on the record")


def check(connection: Connection, findings: Findings, good: Collection[str]) -> None:
    """The version that answers is the last one that an event made live."""
    made: dict[str, int] = {}
    for told in events.of(connection, good, *LIVE_KINDS):
        if told.facts.get("live"):
            made[told.facts.get("model", "")] = told.facts.get("version", 0)
    rows = connection.execute(
        select(Model.name, ModelVersion.number)
        .join(Alias, Alias.model_id == Model.id)
        .join(ModelVersion, ModelVersion.id == Alias.version_id)
        .where(Alias.name == LIVE)
    )
    live = {row.name: row.number for row in rows}
    for name in sorted(made):
        if live.get(name) != made[name]:
            findings.blame(None, name, OTHER_LIVE)
