"""The record: one row a prediction."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.base import BigKey
from webapp.db.registry import Model, ModelVersion
from webapp.db.users import User
from webapp.extensions import Base

CHANNELS = ("form", "what-if", "api", "batch", "wire", "shadow")
#: Answers of a challenger that nobody was shown; `request_id` is the record that it repeats.
SHADOW = "shadow"
STATES = ("active", "restricted", "erased")
#: What is true of few records, and is asked for in order of time: SQL of each, as queries have to write it.
RARE = {
    "warned": "warned > 0",
    "inactive": "state <> 'active'",
    "reviewed": "review IS NOT NULL",
    "known": "outcome IS NOT NULL",
}
#: What somebody asks by hand, as queries have to write it.
BY_HAND = "channel IN ('form', 'what-if')"
#: Written after the answer was given, so by no insert.
LATER = frozenset({"review", "outcome", "erasure"})


def _rare(name: str, condition: str) -> Index:
    where = text(condition)
    return Index(f"ix_predictions_{name}", "created_us", "seq", postgresql_where=where, sqlite_where=where)


class Prediction(Base):
    """One answer given. Times are integer microseconds UTC; the personal parts can be erased, the rest stays."""

    __tablename__ = "predictions"
    __table_args__ = (
        Index(None, "user_id", "created_us", "seq"),
        Index(None, "model_id", "created_us", "seq"),
        Index(None, "created_us", "seq"),
        Index(
            None,
            "subject",
            postgresql_where=text("subject IS NOT NULL"),
            sqlite_where=text("subject IS NOT NULL"),
        ),
        *(_rare(name, condition) for name, condition in RARE.items()),
        Index(
            "ix_predictions_by_hand",
            "user_id",
            "created_us",
            "seq",
            postgresql_where=text(BY_HAND),
            sqlite_where=text(BY_HAND),
        ),
        Index(
            "ix_predictions_job",
            "request_id",
            "created_us",
            "seq",
            postgresql_where=text("channel = 'batch'"),
            sqlite_where=text("channel = 'batch'"),
        ),
        Index(
            "ix_predictions_shadow",
            "request_id",
            postgresql_where=text("channel = 'shadow'"),
            sqlite_where=text("channel = 'shadow'"),
        ),
        Index(
            "ix_predictions_experiment",
            "experiment",
            "created_us",
            "seq",
            postgresql_where=text("experiment IS NOT NULL"),
            sqlite_where=text("experiment IS NOT NULL"),
        ),
    )

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    id: Mapped[str] = mapped_column(String(49), unique=True)
    #: When the request was taken up.
    created_us: Mapped[int] = mapped_column(BigInteger)
    #: When the answer was ready to be stored.
    finished_us: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str] = mapped_column(String(8))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    #: Whom the answer is about, by the caller's pseudonym; NULL: not said, or erased.
    subject: Mapped[str | None] = mapped_column(String(200))
    #: The class as displayed; NULL for regression.
    label: Mapped[str | None] = mapped_column(String(200))
    #: The number for regression; NULL for classification.
    value: Mapped[float | None] = mapped_column(Float(53))
    #: Probability of `label`; NULL where the model gives none.
    score: Mapped[float | None] = mapped_column(Float(53))
    #: How many warnings the answer carries.
    warned: Mapped[int] = mapped_column(default=0)
    cached: Mapped[bool] = mapped_column(default=False)
    engine: Mapped[str] = mapped_column(String(12))
    #: Taken up to ready, microseconds.
    latency_us: Mapped[int] = mapped_column()
    #: JSON object, stage -> microseconds.
    timings: Mapped[str] = mapped_column(Text)
    #: JSON as committed to: received, used, defaulted, subject. NULL once erased.
    inputs: Mapped[str | None] = mapped_column(Text)
    #: JSON as committed to: prediction, label, probabilities, warnings. NULL once erased.
    output: Mapped[str | None] = mapped_column(Text)
    #: 32 random bytes for inputs, then 32 for output. NULL once erased.
    salts: Mapped[bytes | None] = mapped_column(LargeBinary(64))
    #: active, restricted or erased.
    state: Mapped[str] = mapped_column(String(12), default="active")
    #: The comparison of versions that it was made in; NULL: none.
    experiment: Mapped[str | None] = mapped_column(String(49))
    #: confirmed or overridden: the latest review's action; NULL: none yet.
    review: Mapped[str | None] = mapped_column(String(12))
    #: agrees, differs or known: the latest outcome's verdict; NULL: none yet.
    outcome: Mapped[str | None] = mapped_column(String(8))
    #: `events.seq` of its erasure; NULL: not erased.
    erasure: Mapped[int | None] = mapped_column(BigInteger)

    user: Mapped[User] = relationship()
    model: Mapped[Model] = relationship()
    version: Mapped[ModelVersion] = relationship()


class IdempotencyKey(Base):
    """A request that may be sent again: the same key and body give the same records."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    #: SHA-256 of route and body, hex: the key with another body is an error.
    fingerprint: Mapped[str] = mapped_column(String(64))
    #: JSON list of record ids, in order.
    record_ids: Mapped[str] = mapped_column(Text)
    created_us: Mapped[int] = mapped_column(BigInteger, index=True)
