"""Counts of the record, kept ready for the dashboard: derived from predictions, and never the other way round."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.extensions import Base

#: In `Rollup.scope`: of everybody.
ALL = 0


class Rollup(Base):
    """What one version answered, through one channel, within one bucket, to a person (`scope`) or to ALL.

    Its JSON is that of services/rollups/cells; the lengths of buckets are in services/rollups/levels.
    """

    __tablename__ = "rollups"
    __table_args__ = ({"sqlite_with_rowid": False},)

    #: Length of the bucket, seconds.
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    scope: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: Start of the bucket, microseconds UTC, a multiple of its length.
    start_us: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version_id: Mapped[int] = mapped_column(
        ForeignKey("model_versions.id"), primary_key=True, autoincrement=False
    )
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    predictions: Mapped[int] = mapped_column()
    #: How many of them carry a warning.
    warned: Mapped[int] = mapped_column()
    #: Label -> [answers, those with a warning].
    labels: Mapped[str] = mapped_column(Text)
    #: Bin -> answers.
    latencies: Mapped[str] = mapped_column(Text)
    scores: Mapped[str] = mapped_column(Text)
    #: Of a regression: [power of ten, bin -> answers]; empty for classes.
    numbers: Mapped[str] = mapped_column(Text)


class Horizon(Base):
    """How far something that is derived from the record goes."""

    __tablename__ = "horizons"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    #: The last `Prediction.seq` that is in it; for a name that says so, a time in microseconds UTC.
    seq: Mapped[int] = mapped_column(BigInteger)
