"""Models and their versions: publish one, list them, find the one that should answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.db import Alias, Model, ModelVersion, User
from webapp.db.base import session, transaction
from webapp.db.changes import REGISTRY, bump, wait_for_writers
from webapp.db.registry import LIVE
from webapp.errors import BadArtifact, InvalidInput, NotFound, NotReady, Problem, printable
from webapp.ml.packaging import Package
from webapp.ml.reports import manifest_told
from webapp.ml.schema import Schema
from webapp.ml.store import MODEL_NAME, Store
from webapp.services import audit, model_access, people
from webapp.services.answering import make_live, proof
from webapp.services.clock import now_us
from webapp.services.people import Actor
from webapp.wording import said

#: Pages beside those of the models.
ADDRESSES = frozenset({"new"})
LONGEST_TITLE, LONGEST_DESCRIPTION = 200, 2000  # of their columns, which SQLite does not enforce


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One line about a version; `created_us` is microseconds UTC."""

    number: str
    digest: str
    created_us: int
    live: bool
    #: That lead to it, `live` among them.
    aliases: tuple[str, ...] = ()


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
    #: SHA-256 (hex) of the manifest, and so of all that is stored of this version.
    manifest_hash: str
    #: None: the operator, by a command.
    published_by: str | None

    @property
    def live(self) -> str | None:
        """The version that answers where none is named."""
        return next((v.number for v in self.versions if v.live), None)


def publish(
    store: Store,
    package: Package,
    *,
    name: str,
    title: str,
    description: str = "",
    actor: Actor | None = None,
    promote: bool = False,
    within: Callable[[Session, VersionInfo, Package], None] | None = None,
) -> VersionInfo:
    """Store a package as the next version of `name`; the first version, or a promoted one, becomes live.

    A title or description replaces the one the model has. `within` is called in the same transaction, at its end.
    Raises InvalidInput (`#/name`, `#/title`, `#/description`, `#/promote` where a second person has to approve),
    NotFound for a model that `actor` may not use, NotSignedIn. On any error, one of `within` too, the store and the
    registry stay as they were.
    """
    refuse_words(name, title, description)
    # The files first, however large: whoever predicts waits for the transaction, not for the disk.
    with store.staging(name, package.files, package.manifest) as place, transaction() as s:
        if actor is not None:
            people.queue(s, actor)
        wait_for_writers(s)
        bump(s, REGISTRY)  # on PostgreSQL its row is what a second publisher waits for
        model = named(s, name) or _create(s, name)
        _refuse_publisher(s, model, actor, promote)
        model.title, model.description = title or model.title, description or model.description
        last = s.scalar(select(func.max(ModelVersion.number)).where(ModelVersion.model_id == model.id)) or 0
        number = max(last, store.last(name)) + 1
        place(number)
        row = _register(s, model, number, package, store.fingerprint(name, number), actor)
        live = promote or not last
        model.revision += 1
        facts = {"model": name, "version": number, **proof(row), "live": live}
        if live and (before := make_live(s, model, row, actor)) is not None:
            facts["from"] = before.number
        audit.append(s, "publish", actor.id if actor else None, facts)
        made = VersionInfo(str(number), row.digest, row.created_us, live)
        if within is not None:
            within(s, made, package)
        s.commit()  # here, so that on an error the files are taken back
        return made


def refuse_to_publish(name: str, actor: Actor, *, promote: bool = False) -> None:
    """Raises what `publish` would for the model as it is now: NotFound, or InvalidInput (`#/promote`)."""
    model = named(session(), name)
    if model is not None:
        _refuse_publisher(session(), model, actor, promote)


def _refuse_publisher(s: Session, model: Model, actor: Actor | None, promote: bool) -> None:
    if not model_access.is_among(actor, model_access.allowed(s, model)):
        raise absent(model.name)
    if promote and model.two_people and actor is not None:
        told = said("cannot be done alone: a second person has to approve it; publish, then ask for it")
        raise InvalidInput([Problem("#/promote", told)])


def refuse_words(name: str, title: str, description: str) -> None:
    """Raises InvalidInput for what a model cannot be called or described by."""
    problems = []
    if not MODEL_NAME.fullmatch(name):
        problems.append(Problem("#/name", said("must be 1 to 63 of a-z, 0-9 and -, and not start with -")))
    elif name in ADDRESSES:
        problems.append(Problem("#/name", said("is the address of another page; choose another")))
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
    row = find_version(name, None, None, None)
    try:
        published(store, row)
        store.whole(name, row.number)
    except (BadArtifact, NotFound, NotReady) as error:
        return error.detail
    return ""


def export(store: Store, name: str, version: str | None = None) -> dict[str, bytes]:
    """File name → bytes of a version (default: the live one), manifest included, for the operator.

    Raises NotFound, or NotReady for a version that is not stored as it was published.
    """
    row = find_version(name, version, None, None)
    published(store, row)
    try:
        return store.whole(name, row.number)
    except (BadArtifact, NotFound) as error:
        raise NotReady(error.detail, 60) from error


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
    model = usable(name, actor)
    aliases: dict[int, list[str]] = {}
    for alias in session().scalars(select(Alias).where(Alias.model_id == model.id).order_by(Alias.name)):
        aliases.setdefault(alias.version_id, []).append(alias.name)
    rows = session().scalars(
        select(ModelVersion).where(ModelVersion.model_id == model.id).order_by(ModelVersion.number.desc())
    )
    led = [(row, tuple(aliases.get(row.id, ()))) for row in rows]
    return [VersionInfo(str(v.number), v.digest, v.created_us, LIVE in names, names) for v, names in led]


def describe(store: Store, name: str, version: str | None = None, *, actor: Actor | None) -> ModelDetail:
    """A model as one version (default: the live one) describes it; `actor` None is the operator.

    Raises NotFound, also for a model that `actor` may not use, or NotReady for a version that is not stored as
    it was published.
    """
    row = find_version(name, version, None, actor)
    manifest = published(store, row)
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
        manifest=manifest_told(manifest),
        created_us=row.created_us,
        versions=list_versions(name, actor=actor),
        manifest_hash=row.manifest_hash,
        published_by=session().scalar(select(User.username).where(User.id == row.created_by)),
    )


def published(store: Store, row: ModelVersion) -> dict[str, Any]:
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


def named(s: Session, name: str) -> Model | None:
    """The row of a model, or None."""
    # PostgreSQL takes no NUL in a text, not even to look for it; a name has none.
    return s.scalar(select(Model).where(Model.name == name)) if MODEL_NAME.fullmatch(name) else None


def usable(name: str, actor: Actor | None) -> Model:
    model = named(session(), name)
    if model is None or not model_access.is_among(actor, model_access.allowed(session(), model)):
        raise absent(name)
    return model


def find_version(name: str, version: str | None, alias: str | None, actor: Actor | None) -> ModelVersion:
    model = usable(name, actor)
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
        raise _absent_version(name, version or alias) if version or alias else absent(name)
    return row


def absent(name: str) -> NotFound:
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
