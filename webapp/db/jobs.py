"""Batches: one row a file to be predicted."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.base import BigKey
from webapp.db.registry import Model, ModelVersion
from webapp.db.users import User
from webapp.extensions import Base

#: In these a worker has something to do.
ACTIVE = ("checking", "running")


class Job(Base):
    """A file, what was found in it, and how far its rows have been predicted. Times are microseconds UTC."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "user_id", "seq"),
        Index(
            "ix_jobs_active",
            "state",
            postgresql_where=text("state IN ('checking', 'running')"),
            sqlite_where=text("state IN ('checking', 'running')"),
        ),
    )

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    id: Mapped[str] = mapped_column(String(49), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    #: All rows are answered by the version that was live, or named, at the upload.
    version_id: Mapped[int] = mapped_column(ForeignKey("model_versions.id"))
    #: checking, checked (waits for its owner), refused, running, done, cancelled, stopped or failed.
    state: Mapped[str] = mapped_column(String(12))
    #: As the sender calls it.
    file_name: Mapped[str] = mapped_column(String(200))
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    #: JSON: how the file is to be read, as far as its owner has said so.
    options: Mapped[str] = mapped_column(Text, default="{}")
    #: "ask": wait for the owner once checked; "row": go on without the bad rows; "all": refuse if there is one.
    on_error: Mapped[str] = mapped_column(String(4), default="ask")
    #: JSON: what the check found; NULL until it has ended.
    findings: Mapped[str | None] = mapped_column(Text)
    #: Data rows, and those of them that cannot be predicted; while checking, as far as it has come.
    n_rows: Mapped[int] = mapped_column(BigInteger, default=0)
    bad_rows: Mapped[int] = mapped_column(BigInteger, default=0)
    #: Rows of the file dealt with by the prediction, and those of them that were refused.
    rows_done: Mapped[int] = mapped_column(BigInteger, default=0)
    rows_refused: Mapped[int] = mapped_column(BigInteger, default=0)
    #: JSON list of [attempt, bytes]: the parts of the result, as far as their rows are on the record.
    parts: Mapped[str] = mapped_column(Text, default="[]")
    #: How often a worker has taken it up; only the newest may write.
    attempt: Mapped[int] = mapped_column(default=0)
    #: Those since it last got anywhere.
    tries: Mapped[int] = mapped_column(default=0)
    #: The worker that has it, until when; NULL: nobody.
    worker: Mapped[str | None] = mapped_column(String(40))
    lease_us: Mapped[int | None] = mapped_column(BigInteger)
    #: True: its owner wants it to end.
    cancel: Mapped[bool] = mapped_column(default=False)
    #: Why it ended, when not by itself.
    detail: Mapped[str] = mapped_column(Text, default="")
    created_us: Mapped[int] = mapped_column(BigInteger)
    #: When the present phase was taken up first.
    started_us: Mapped[int | None] = mapped_column(BigInteger)
    #: When it last got anywhere.
    moved_us: Mapped[int] = mapped_column(BigInteger)
    finished_us: Mapped[int | None] = mapped_column(BigInteger)
    #: When file and result were deleted; the records stay.
    removed_us: Mapped[int | None] = mapped_column(BigInteger)

    user: Mapped[User] = relationship()
    model: Mapped[Model] = relationship()
    version: Mapped[ModelVersion] = relationship()
