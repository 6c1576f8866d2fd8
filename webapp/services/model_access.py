"""Which people may use which models: all of them, unless an admin has restricted a model to some.

A model that somebody may not use looks to them as if it did not exist. Records made with it stay theirs to read.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, or_, select, true
from sqlalchemy.orm import Session

from webapp.db import Model, ModelAccess, User
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, REGISTRY, bump
from webapp.errors import NotAllowed, NotFound, printable
from webapp.ml.store import MODEL_NAME
from webapp.services import audit
from webapp.services.people import Actor, queue
from webapp.wording import said

#: They need no permission for a single model: auditors read about all of them, admins give the permissions.
UNRESTRICTED = frozenset({"auditor", "admin"})


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a model: everybody who predicts, or the accounts named in `people`, admins apart."""

    model: str
    title: str
    restricted: bool
    people: tuple[str, ...]


def is_among(actor: Actor | None, allowed: frozenset[int] | None) -> bool:
    """Whether `actor`, or the operator if None, may use a model that is open to the accounts of `allowed`."""
    return allowed is None or actor is None or actor.role in UNRESTRICTED or actor.id in allowed


def allowed(current: Session, model: Model) -> frozenset[int] | None:
    """The accounts that may use a model; None: all of them."""
    if not model.restricted:
        return None
    return frozenset(current.scalars(select(ModelAccess.user_id).where(ModelAccess.model_id == model.id)))


def condition(actor: Actor | None) -> ColumnElement[bool]:
    """The same as a condition on `models`."""
    if actor is None or actor.role in UNRESTRICTED:
        return true()
    given = select(ModelAccess.model_id).where(ModelAccess.user_id == actor.id)
    return or_(Model.restricted.is_(False), Model.id.in_(given))


def list_all(actor: Actor | None) -> list[Access]:
    """Who may use which model, by name of the model; raises NotAllowed."""
    _admins_only(actor)
    rows = session().execute(
        select(ModelAccess.model_id, User.username).join(User, User.id == ModelAccess.user_id)
    )
    named: dict[int, list[str]] = {}
    for model_id, username in rows:
        named.setdefault(model_id, []).append(username)
    models = session().scalars(select(Model).order_by(Model.name))
    return [Access(m.name, m.title, m.restricted, tuple(sorted(named.get(m.id, ())))) for m in models]


def get(name: str, actor: Actor | None) -> Access:
    """Who may use one model; raises NotAllowed, NotFound."""
    for access in list_all(actor):
        if access.model == name:
            return access
    raise _absent(name)


def change(name: str, *, restricted: bool, people: list[str], actor: Actor | None) -> Access:
    """Open a model to every predictor, or to `people` and admins only; takes effect on every worker at once.

    Raises NotAllowed, NotFound (the model or an account), NotSignedIn.
    """
    _admins_only(actor)
    with transaction() as current:
        queue(current, actor)
        # PostgreSQL takes no NUL in a text, not even to look for it; a name has none.
        found = select(Model).where(Model.name == name) if MODEL_NAME.fullmatch(name) else None
        model = None if found is None else current.scalar(found)
        if model is None:
            raise _absent(name)
        chosen = _accounts(current, people) if restricted else {}
        if (model.restricted, allowed(current, model)) == (
            restricted,
            frozenset(chosen) if restricted else None,
        ):
            return Access(model.name, model.title, restricted, tuple(sorted(chosen.values())))
        current.execute(delete(ModelAccess).where(ModelAccess.model_id == model.id))
        model.restricted = restricted
        current.add_all(ModelAccess(model_id=model.id, user_id=user_id) for user_id in chosen)
        bump(current, ACCESS)  # so that what is under way is asked anew before it is kept
        bump(current, REGISTRY)
        names = sorted(chosen.values())
        facts = {"model": model.name, "restricted": restricted, "people": names}
        audit.append(current, "model-access", actor.id if actor else None, facts)
        return Access(model.name, model.title, restricted, tuple(names))


def _accounts(current: Session, names: list[str]) -> dict[int, str]:
    wanted = {printable(name).lower() for name in names}
    found = current.execute(select(User.id, User.username).where(User.username.in_(wanted))).all()
    if missing := wanted - {username for _, username in found}:
        raise NotFound(said("There is no account “{name}”.", name=min(missing)[:63]))
    return {row.id: row.username for row in found}


def _admins_only(actor: Actor | None) -> None:
    if actor is not None and actor.role != "admin":
        raise NotAllowed(said("Only admins decide who may use a model; ask one of them."))


def _absent(name: str) -> NotFound:
    return NotFound(said("There is no model named “{name}”.", name=name[:63]))
