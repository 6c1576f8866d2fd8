"""Two versions of a model side by side on the same traffic: a shadow, or a share of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.registry import Model, ModelVersion
from webapp.extensions import Base

SHADOW, SPLIT = "shadow", "split"


class Experiment(Base):
    """A challenger beside the champion, which was live when it began. Times are microseconds UTC."""

    __tablename__ = "experiments"
    __table_args__ = (
        Index(
            "ix_experiments_running",
            "model_id",
            unique=True,
            postgresql_where=text("ended_us IS NULL"),
            sqlite_where=text("ended_us IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(49), primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    champion_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    challenger_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    #: shadow or split.
    kind: Mapped[str] = mapped_column(String(8))
    #: Of the subjects, 0 to 1, that the challenger answers; of a shadow, of the answers that it repeats.
    share: Mapped[float] = mapped_column(Float(53))
    #: Hex; decides who is among the share, anew in each experiment.
    salt: Mapped[str] = mapped_column(String(32))
    #: NULL: the operator.
    started_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    started_us: Mapped[int] = mapped_column(BigInteger)
    ended_us: Mapped[int | None] = mapped_column(BigInteger)

    model: Mapped[Model] = relationship()
    champion: Mapped[ModelVersion] = relationship(foreign_keys=[champion_id])
    challenger: Mapped[ModelVersion] = relationship(foreign_keys=[challenger_id])
