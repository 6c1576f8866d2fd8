"""Submissions: one row a model file that somebody has sent in by a page or a program."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.base import BigKey
from webapp.db.registry import ModelVersion
from webapp.db.users import User
from webapp.extensions import Base

#: In these a worker has something to do.
OPEN = ("waiting", "inspecting")
#: Inspected; now it rests until its publisher has picked an engine.
CHOOSING = "choosing"


class Submitted(Base):
    """What was sent, and what became of it. Times are microseconds UTC; its files are gone once it has ended."""

    __tablename__ = "submissions"
    __table_args__ = (
        Index(None, "user_id", "seq"),
        Index(
            "ix_submissions_open",
            "state",
            postgresql_where=text("state IN ('waiting', 'inspecting')"),
            sqlite_where=text("state IN ('waiting', 'inspecting')"),
        ),
    )

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    id: Mapped[str] = mapped_column(String(49), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    #: The name to publish under, of a model that need not exist yet.
    model: Mapped[str] = mapped_column(String(63))
    #: waiting, inspecting, choosing, published, refused, failed or cancelled.
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    #: A word of `ml.intake.STAGES`, or starting; empty before.
    stage: Mapped[str] = mapped_column(String(12), default="")
    #: JSON: {"model" | "data" | "test": [name as its sender calls it, bytes]}.
    files: Mapped[str] = mapped_column(Text)
    #: JSON: target, title, description, schema, card, promote, engine (absent in old ones: auto).
    wishes: Mapped[str] = mapped_column(Text)
    #: JSON: what the inspection found; NULL until it has been inspected.
    report: Mapped[str | None] = mapped_column(Text)
    #: JSON list of [pointer, sentence]: why it was refused or has failed.
    errors: Mapped[str] = mapped_column(Text, default="[]")
    #: JSON list of sentences about what could not be checked.
    warnings: Mapped[str] = mapped_column(Text, default="[]")
    #: What it became.
    version_id: Mapped[int | None] = mapped_column(ForeignKey("model_versions.id"))
    #: Whether the version answered as soon as it was published.
    live: Mapped[bool | None] = mapped_column()
    #: How often a worker has taken it up; only the newest may write.
    attempt: Mapped[int] = mapped_column(default=0)
    #: Those that nobody ended in good order.
    tries: Mapped[int] = mapped_column(default=0)
    #: The worker that has it, until when; NULL: nobody.
    worker: Mapped[str | None] = mapped_column(String(40))
    lease_us: Mapped[int | None] = mapped_column(BigInteger)
    #: True: its owner wants it to end.
    cancel: Mapped[bool] = mapped_column(default=False)
    created_us: Mapped[int] = mapped_column(BigInteger)
    #: When it last got anywhere.
    moved_us: Mapped[int] = mapped_column(BigInteger)
    finished_us: Mapped[int | None] = mapped_column(BigInteger)

    user: Mapped[User] = relationship()
    version: Mapped[ModelVersion | None] = relationship()
