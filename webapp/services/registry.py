"""Models and their versions: publish one, list them, find the one that should answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.db import Alias, Model, ModelVersion
from webapp.db.base import session, transaction
from webapp.db.changes import REGISTRY, Watch, bump
from webapp.db.registry import LIVE
from webapp.errors import BadArtifact, InvalidInput, NotFound, NotReady, Problem, printable
from webapp.ml.packaging import Package
from webapp.ml.runtime import Predictor, Runtime
from webapp.ml.schema import Schema
from webapp.ml.store import MODEL_NAME, Store
from webapp.services import audit, model_access
from webapp.services.clock import now_us
from webapp.services.people import Actor
from webapp.wording import said

LONGEST_TITLE, LONGEST_DESCRIPTION = 200, 2000  # of their columns, which SQLite does not enforce


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One line about a version; `created_us` is microseconds UTC."""

    number: str
    digest: str
    created_us: int
    live: bool


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line about a model; `live` is the number of the version that answers."""

    name: str
    title: str
    description: str
    task: str
    live: str
    versions: int


@dataclass(frozen=True, slots=True)
class ModelDetail:
    """A model as one of its versions describes it."""

    name: str
    title: str
    description: str
    task: str
    version: str
    schema: Schema
    manifest: dict[str, Any]
    created_us: int
    versions: list[VersionInfo]

    @property
    def live(self) -> str | None:
        """The version that answers where none is named."""
        return next((v.number for v in self.versions if v.live), None)


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
    #: Accounts that may use the model; None: all of them.
    allowed: frozenset[int] | None = None


class Resolver:
    """Finds the version for a name, remembering what it found until the registry changes."""

    def __init__(self, store: Store, runtime: Runtime, watch: Watch) -> None:
        self._store = store
        self._runtime = runtime
        self._watch = watch
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
            known = self._known  # a change while loading must not be remembered under the new number
            found = known[wanted] = self._load(_find_version(model, version, alias, actor))
            session().rollback()  # whoever waits for the group commit must not hold a connection meanwhile
        if found.allowed is not None and not model_access.is_among(actor, found.allowed):
            raise _absent(model)
        return found

    def _load(self, row: ModelVersion) -> Resolved:
        _published(self._store, row)  # before anything is constructed from it
        try:
            predictor = self._runtime.get(row.model.name, row.number)
        except (BadArtifact, NotFound) as error:
            raise NotReady(error.detail, 60) from error
        return Resolved(
            model=row.model.name,
            model_id=row.model_id,
            version_id=row.id,
            number=str(row.number),
            digest=row.digest,
            schema_hash=row.schema_hash,
            predictor=predictor,
            labels={choice.value: choice.label for choice in predictor.schema.output.classes},
            allowed=model_access.allowed(session(), row.model),
        )


def publish(
    store: Store,
    package: Package,
    *,
    name: str,
    title: str,
    description: str = "",
    actor: Actor | None = None,
    promote: bool = False,
) -> VersionInfo:
    """Store a package as the next version of `name`; the first version, or a promoted one, becomes live.

    A title or description replaces the one the model has. Raises InvalidInput (`#/name`, `#/title`,
    `#/description`). On any error the store and the registry stay as they were.
    """
    refuse_words(name, title, description)
    with transaction() as s:
        bump(s, REGISTRY)  # first: on PostgreSQL its row is what a second publisher waits for
        model = _model(s, name) or _create(s, name)
        model.title, model.description = title or model.title, description or model.description
        last = s.scalar(select(func.max(ModelVersion.number)).where(ModelVersion.model_id == model.id)) or 0
        number = max(last, store.last(name)) + 1
        store.publish(name, number, package.files, package.manifest)
        try:
            row = _register(s, model, number, package, store.fingerprint(name, number), actor)
            live = promote or not last
            if live:
                s.merge(Alias(model_id=model.id, name=LIVE, version_id=row.id))
            facts = {
                "model": name,
                "version": number,
                "artifact": row.digest,
                "manifest": row.manifest_hash,
                "schema": row.schema_hash,
                "live": live,
            }
            audit.append(s, "publish", actor.id if actor else None, facts)
            s.commit()
        except BaseException:
            store.discard(name, number)
            raise
        return VersionInfo(str(number), row.digest, row.created_us, live)


def refuse_words(name: str, title: str, description: str) -> None:
    """Raises InvalidInput for what a model cannot be called or described by."""
    problems = []
    if not MODEL_NAME.fullmatch(name):
        problems.append(Problem("#/name", said("must be 1 to 63 of a-z, 0-9 and -, and not start with -")))
    for word, text, longest in (
        ("title", title, LONGEST_TITLE),
        ("description", description, LONGEST_DESCRIPTION),
    ):
        if len(text) > longest or printable(text) != text:
            told = said("must be plain text of at most {most} characters, not {n}", most=longest, n=len(text))
            problems.append(Problem(f"#/{word}", told))
    if problems:
        raise InvalidInput(problems)


def _create(s: Session, name: str) -> Model:
    model = Model(name=name, title=name, description="", created_us=now_us())
    s.add(model)
    s.flush()
    return model


def _register(
    s: Session, model: Model, number: int, package: Package, fingerprint: str, actor: Actor | None
) -> ModelVersion:
    row = ModelVersion(
        model_id=model.id,
        number=number,
        digest=package.manifest["digest"],
        manifest_hash=fingerprint,
        schema_hash=package.schema.digest,
        task=package.schema.output.kind,
        created_us=now_us(),
        created_by=actor.id if actor else None,
    )
    s.add(row)
    s.flush()
    return row


def list_models(actor: Actor | None) -> list[ModelInfo]:
    """Every model with a live version that `actor` may use, by name; None is the operator, who may use all."""
    counts = select(ModelVersion.model_id, func.count().label("n")).group_by(ModelVersion.model_id).subquery()
    rows = session().execute(
        select(Model, ModelVersion, counts.c.n)
        .join(Alias, (Alias.model_id == Model.id) & (Alias.name == LIVE))
        .join(ModelVersion, ModelVersion.id == Alias.version_id)
        .join(counts, counts.c.model_id == Model.id)
        .where(model_access.condition(actor))
        .order_by(Model.name)
    )
    return [ModelInfo(m.name, m.title, m.description, v.task, str(v.number), n) for m, v, n in rows]


def damage(store: Store, name: str) -> str:
    """What is wrong with the live version of a model as it is stored, every file of it; empty if nothing is."""
    row = _find_version(name, None, None, None)
    try:
        for file in _published(store, row)["files"]:
            store.read(name, row.number, file)
    except (BadArtifact, NotFound, NotReady) as error:
        return error.detail
    return ""


def describe_sound(
    store: Store, name: str, version: str | None = None, *, actor: Actor | None
) -> ModelDetail | None:
    """As `describe`, or None for a version that is not stored as it was published; raises NotFound."""
    try:
        return describe(store, name, version, actor=actor)
    except NotReady:
        return None


def list_versions(name: str, *, actor: Actor | None) -> list[VersionInfo]:
    """The versions of a model, newest first; raises NotFound, also for a model that `actor` may not use."""
    model = _usable(name, actor)
    live = session().scalar(select(Alias.version_id).where(Alias.model_id == model.id, Alias.name == LIVE))
    rows = session().scalars(
        select(ModelVersion).where(ModelVersion.model_id == model.id).order_by(ModelVersion.number.desc())
    )
    return [VersionInfo(str(v.number), v.digest, v.created_us, v.id == live) for v in rows]


def describe(store: Store, name: str, version: str | None = None, *, actor: Actor | None) -> ModelDetail:
    """A model as one version (default: the live one) describes it; `actor` None is the operator.

    Raises NotFound, also for a model that `actor` may not use, or NotReady for a version that is not stored as
    it was published.
    """
    row = _find_version(name, version, None, actor)
    manifest = _published(store, row)
    try:
        schema = Schema.from_dict(manifest.get("schema"))
    except BadArtifact as error:
        raise NotReady(error.detail, 60) from error
    return ModelDetail(
        name=name,
        title=row.model.title,
        description=row.model.description,
        task=row.task,
        version=str(row.number),
        schema=schema,
        manifest=manifest,
        created_us=row.created_us,
        versions=list_versions(name, actor=actor),
    )


def _published(store: Store, row: ModelVersion) -> dict[str, Any]:
    """The manifest of a version; raises NotReady if it is not the one that was published."""
    name, number = row.model.name, row.number
    changed = NotReady(
        said(
            "{model} version {version} is not stored as it was published; restore it from a backup.",
            model=name,
            version=number,
        ),
        60,
    )
    try:
        # The database says what was published, not the folder.
        if store.fingerprint(name, number) == row.manifest_hash:
            return store.manifest(name, number)
    except (BadArtifact, NotFound) as error:
        raise changed from error
    raise changed


def _model(s: Session, name: str) -> Model | None:
    # PostgreSQL takes no NUL in a text, not even to look for it; a name has none.
    return s.scalar(select(Model).where(Model.name == name)) if MODEL_NAME.fullmatch(name) else None


def _usable(name: str, actor: Actor | None) -> Model:
    model = _model(session(), name)
    if model is None or not model_access.is_among(actor, model_access.allowed(session(), model)):
        raise _absent(name)
    return model


def _find_version(name: str, version: str | None, alias: str | None, actor: Actor | None) -> ModelVersion:
    model = _usable(name, actor)
    query = select(ModelVersion).where(ModelVersion.model_id == model.id)
    if version is not None:
        if not (version.isascii() and version.isdigit() and len(version) < 9):
            raise _absent_version(name, version)
        query = query.where(ModelVersion.number == int(version))
    else:
        if alias and not MODEL_NAME.fullmatch(alias):
            raise _absent_version(name, alias)
        query = query.join(Alias, Alias.version_id == ModelVersion.id).where(Alias.name == (alias or LIVE))
    row = session().scalar(query)
    if row is None:
        raise _absent_version(name, version or alias) if version or alias else _absent(name)
    return row


def _absent(name: str) -> NotFound:
    return NotFound(
        said(
            "There is no model named {name}; the page Models, or GET /api/v1/models, lists them.",
            name=repr(name[:63]),
        )
    )


def _absent_version(name: str, version: str | None) -> NotFound:
    return NotFound(
        said(
            "{model} has no version {version}; its page, or GET {address}, lists them.",
            model=repr(name[:63]),
            version=repr(version)[:60],
            address=f"/api/v1/models/{name[:63]}/versions",
        )
    )
