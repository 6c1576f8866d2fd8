"""Counts of the record, kept ready for the dashboard: derived from predictions, and never the other way round."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.extensions import Base

#: In `Rollup.scope`: of everybody.
ALL = 0


class Rollup(Base):
    """What one version answered through one channel within one bucket; the JSON is that of services/rollups/cells.

    Buckets of a minute stand once, under scope ALL with the person in `user_id`; longer ones stand once for everybody
    (scope and `user_id` ALL) and once for each person (both the person's).
    """

    __tablename__ = "rollups"
    __table_args__ = ({"sqlite_with_rowid": False},)

    #: Length of the bucket, seconds.
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    scope: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: Start of the bucket, microseconds UTC, a multiple of its length.
    start_us: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
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
    """Up to which prediction something derived has come."""

    __tablename__ = "horizons"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    #: The last `Prediction.seq` that is in it.
    seq: Mapped[int] = mapped_column(BigInteger)
