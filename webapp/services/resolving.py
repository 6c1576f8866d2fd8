"""From the name in a request to the version that answers it, loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any, cast

from sqlalchemy import select

from webapp.db import Experiment, ModelVersion
from webapp.db.base import session
from webapp.db.changes import REGISTRY, Watch
from webapp.db.registry import LIVE
from webapp.errors import BadArtifact, ModelFailed, NotFound, NotReady
from webapp.ml.runtime import Predictor, Runtime
from webapp.ml.store import Store
from webapp.services import model_access, registry
from webapp.services.assigning import limit
from webapp.services.people import Actor


@dataclass(frozen=True, slots=True)
class Resolved:
    """The version that answers a request, loaded; `labels` maps each class to its displayed name."""

    model: str
    model_id: int
    version_id: int
    number: str
    digest: str
    schema_hash: str
    predictor: Predictor
    labels: dict[Any, str]
    #: The number of the `registry` counter at which it was found.
    registry: int
    #: The state of the model then: every change of what its aliases lead to makes another.
    revision: int
    #: Accounts that may use the model; None: all of them.
    allowed: frozenset[int] | None = None
    #: The comparison that it is the champion of.
    running: Running | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A comparison that runs: its challenger, loaded, and whom it gets (see `services.assigning`)."""

    id: str
    kind: str
    challenger: Resolved
    salt: bytes
    limit: int


class Resolver:
    """Finds the version for a name, remembering what it found until the registry changes."""

    def __init__(self, store: Store, runtime: Runtime, watch: Watch, offload: Callable[..., Any]) -> None:
        self._store = store
        self._runtime = runtime
        self._watch = watch
        #: Runs what may take long where it does not hold up other requests.
        self._offload = offload
        self._loading: dict[tuple[str, int], Lock] = {}
        self._number = -1
        self._known: dict[tuple[str, str | None, str | None], Resolved] = {}

    def find(
        self, model: str, version: str | None = None, alias: str | None = None, *, actor: Actor | None
    ) -> Resolved:
        """The version asked for, or the live one; `actor` None is the operator.

        Raises NotFound, also for a model that `actor` may not use, or NotReady when its file is damaged.
        """
        number = self._watch.numbers()[REGISTRY]
        if number != self._number:
            self._known, self._number = {}, number
        wanted = (model, version, alias)
        found = self._known.get(wanted)
        if found is None:
            session().rollback()  # what is read now must not be older than the number
            known = self._known  # a change while loading must not be remembered under the new number
            found = self._load(registry.find_version(model, version, alias, actor), number)
            if version is None and (alias or LIVE) == LIVE:
                found = replace(found, running=self._running(found, number))
            known[wanted] = found
            session().rollback()  # whoever waits for the group commit must not hold a connection meanwhile
        if found.allowed is not None and not model_access.is_among(actor, found.allowed):
            raise registry.absent(model)
        return found

    def _load(self, row: ModelVersion, number: int) -> Resolved:
        registry.published(self._store, row)  # before anything is constructed from it
        found = partial(  # what the row says, before loading gives its session back
            Resolved,
            model=row.model.name,
            model_id=row.model_id,
            version_id=row.id,
            number=str(row.number),
            digest=row.digest,
            schema_hash=row.schema_hash,
            registry=number,
            revision=row.model.revision,
            allowed=model_access.allowed(session(), row.model),
        )
        predictor = self._loaded(row.model.name, row.number)
        labels = {choice.value: choice.label for choice in predictor.schema.output.classes}
        return found(predictor=predictor, labels=labels)

    def _loaded(self, name: str, number: int) -> Predictor:
        if self._runtime.ready(name, number):
            return self._runtime.get(name, number)
        session().rollback()  # it may take a while, and needs no connection
        try:
            with self._loading.setdefault((name, number), Lock()):  # one thread, however many wait for it
                return cast(Predictor, self._offload(self._runtime.get, name, number))
        except (BadArtifact, NotFound) as error:
            raise NotReady(error.detail, 60) from error

    def _running(self, champion: Resolved, number: int) -> Running | None:
        row = session().scalar(
            select(Experiment).where(
                Experiment.model_id == champion.model_id,
                Experiment.champion_id == champion.version_id,
                Experiment.ended_us.is_(None),
            )
        )
        if row is None:
            return None
        try:
            challenger = self._load(row.challenger, number)
        except (NotReady, ModelFailed):  # whoever asks is answered by the champion, as without a comparison
            return None
        return Running(row.id, row.kind, challenger, bytes.fromhex(row.salt), limit(row.share))
