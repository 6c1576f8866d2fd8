"""Models, their versions, and the aliases that say which version answers."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.users import User
from webapp.extensions import Base

LIVE, CANDIDATE = "live", "candidate"


class Model(Base):
    """A name that versions are published under."""

    __tablename__ = "models"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    created_us: Mapped[int] = mapped_column(BigInteger)
    #: False: every predictor may use it; True: those of `model_access` only.
    restricted: Mapped[bool] = mapped_column(default=False)
    #: How often its versions and aliases have changed: what a change is asked against.
    revision: Mapped[int] = mapped_column(default=0)
    #: True: what one person asks to promote, another has to approve.
    two_people: Mapped[bool] = mapped_column(default=False)


class ModelAccess(Base):
    """Somebody who may use a restricted model; admins and auditors need no row."""

    __tablename__ = "model_access"

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)


class ModelVersion(Base):
    """One published artefact; never changed afterwards. The rest is in its manifest in the model store."""

    __tablename__ = "model_versions"
    __table_args__ = (UniqueConstraint("model_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    number: Mapped[int] = mapped_column()
    #: SHA-256 of the model file, hex.
    digest: Mapped[str] = mapped_column(String(64))
    #: SHA-256 of the manifest, hex, and so of all that is stored of this version.
    manifest_hash: Mapped[str] = mapped_column(String(64))
    schema_hash: Mapped[str] = mapped_column(String(64))
    task: Mapped[str] = mapped_column(String(20))
    created_us: Mapped[int] = mapped_column(BigInteger)
    #: NULL: published by the operator's command line.
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    model: Mapped[Model] = relationship()


class Alias(Base):
    """A movable name for a version, such as `live`."""

    __tablename__ = "aliases"

    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))

    version: Mapped[ModelVersion] = relationship()


class PromotionRequest(Base):
    """A version that somebody asks to make live where a second person has to agree."""

    __tablename__ = "promotion_requests"
    __table_args__ = (
        Index(
            None,
            "model_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(49), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    reason: Mapped[str] = mapped_column(String(2000))
    #: waiting, approved, refused, withdrawn or outdated.
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    asked_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    asked_us: Mapped[int] = mapped_column(BigInteger)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_us: Mapped[int | None] = mapped_column(BigInteger)

    version: Mapped[ModelVersion] = relationship()
    asker: Mapped[User] = relationship(foreign_keys=[asked_by])
