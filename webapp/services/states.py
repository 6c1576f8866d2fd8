"""Which versions can answer, told by what is stored of them; none is loaded for it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from webapp.db import Alias, Model, ModelVersion
from webapp.db.base import session
from webapp.db.registry import LIVE
from webapp.errors import NotReady
from webapp.ml.store import Store
from webapp.services import model_access, registry
from webapp.services.people import Actor


@dataclass(frozen=True, slots=True)
class State:
    """One version; `problem` says why it cannot answer, and is empty where it can."""

    model: str
    version: str
    problem: str


def list_states(store: Store, actor: Actor | None) -> list[State]:
    """The versions of all models with a live one that `actor` may use, by name and number."""
    live = select(Alias.model_id).where(Alias.name == LIVE)
    rows = session().execute(
        select(ModelVersion, Model)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(model_access.condition(actor), Model.id.in_(live))
        .order_by(Model.name, ModelVersion.number)
    )
    return [_state(store, version) for version, _ in rows]


def states_of(store: Store, name: str, *, actor: Actor | None) -> list[State]:
    """The versions of one model, newest first; raises NotFound."""
    model = registry.usable(name, actor)
    rows = session().scalars(
        select(ModelVersion).where(ModelVersion.model_id == model.id).order_by(ModelVersion.number.desc())
    )
    return [_state(store, version) for version in rows]


def state(store: Store, name: str, version: str | None, alias: str | None, *, actor: Actor | None) -> State:
    """The version of that number, or that an alias (default: the live one) leads to; raises NotFound."""
    return _state(store, registry.find_version(name, version, alias, actor))


def _state(store: Store, row: ModelVersion) -> State:
    problem = ""
    try:
        registry.published(store, row)
    except NotReady as error:
        problem = error.detail
    return State(row.model.name, str(row.number), problem)
