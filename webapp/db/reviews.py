"""What became of an answer: what people decided about it, and what turned out to be true."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.base import BigKey
from webapp.db.users import User
from webapp.extensions import Base

ACTIONS = ("confirmed", "overridden")
#: Whether the answer was what turned out; `known` where that is a matter of degree, as with a number.
VERDICTS = ("agrees", "differs", "known")


class Review(Base):
    """One decision of a person about an answer; a later one takes its place, and this row stays."""

    __tablename__ = "reviews"

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    event_id: Mapped[str] = mapped_column(String(49), unique=True)
    prediction_seq: Mapped[int] = mapped_column(ForeignKey("predictions.seq"), index=True)
    at_us: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    #: One of ACTIONS.
    action: Mapped[str] = mapped_column(String(12))
    #: JSON as committed to: decision, reason. NULL once erased.
    note: Mapped[str | None] = mapped_column(Text)
    #: 32 random bytes; NULL once erased.
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(32))

    user: Mapped[User] = relationship()


class Outcome(Base):
    """One report of what was true. Model, version and time are the prediction's, so that quality is one range of one
    index."""

    __tablename__ = "outcomes"
    __table_args__ = (
        Index(
            "ix_outcomes_latest",
            "model_id",
            "predicted_us",
            postgresql_where=text("latest"),
            sqlite_where=text("latest"),
        ),
    )

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    event_id: Mapped[str] = mapped_column(String(49), unique=True)
    prediction_seq: Mapped[int] = mapped_column(ForeignKey("predictions.seq"), index=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    #: `predictions.created_us`.
    predicted_us: Mapped[int] = mapped_column(BigInteger)
    at_us: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    #: The channel it came through.
    source: Mapped[str] = mapped_column(String(8))
    #: False once a later report has corrected it.
    latest: Mapped[bool] = mapped_column(default=True)
    #: The class as displayed; NULL for regression, or once erased.
    label: Mapped[str | None] = mapped_column(String(200))
    #: The number for regression; NULL for classification, or once erased.
    value: Mapped[float | None] = mapped_column(Float(53))
    #: One of VERDICTS.
    verdict: Mapped[str] = mapped_column(String(8))
    #: JSON as committed to: actual. NULL once erased.
    note: Mapped[str | None] = mapped_column(Text)
    #: 32 random bytes; NULL once erased.
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(32))

    user: Mapped[User] = relationship()
