"""A version is tried before anybody depends on it: whole, loadable, and answering as it did when it was published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from webapp.db.base import session
from webapp.errors import BadArtifact, Conflict, ModelFailed, NotFound, NotReady
from webapp.ml.golden import Agreement, agreement
from webapp.services import registry
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.wording import said


@dataclass(frozen=True, slots=True)
class Trial:
    """A version that passed: how many reference rows it answered as before, and the largest difference."""

    rows: int
    largest: float

    def facts(self) -> dict[str, Any]:
        """As the record keeps it."""
        return {"tried": self.rows, "largest": self.largest}


def attempt(desk: Desk, name: str, version: str, actor: Actor | None) -> Trial:
    """Load a version here and let it answer its reference rows again.

    Raises NotFound, NotReady (not stored as it was published) and Conflict (it fails, or answers otherwise).
    """
    row = registry.find_version(name, version, None, actor)
    number = row.number
    registry.published(desk.store, row)
    session().rollback()  # loading may take a while, and needs no connection
    try:
        found = desk.offload(_again, desk, name, number)
    except (BadArtifact, NotFound) as error:
        raise NotReady(error.detail, 60) from error
    except ModelFailed as error:
        raise _failed(version, error.detail) from error
    if found.differ:
        told = said(
            "it answers {n} of {all} reference rows otherwise than when it was published",
            n=found.differ,
            all=found.rows,
        )
        raise _failed(version, told)
    return Trial(found.rows, found.largest)


def _again(desk: Desk, name: str, number: int) -> Agreement:
    files = desk.store.whole(name, number)
    predictor = desk.runtime.get(name, number)
    rows = [predictor.schema.check(row).values for row in json.loads(files["rows.json"])]
    answer = predictor.predict(rows)
    if "answers.json" not in files:  # published before answers were kept: that it answers is all we know
        return Agreement(len(rows), 0, 0.0)
    return agreement(json.loads(files["answers.json"]), answer)


def _failed(version: str, why: str) -> Conflict:
    return Conflict(said("Version {version} stays as it is: {why}.", version=version, why=why.rstrip(".")))
