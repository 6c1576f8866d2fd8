"""Verifications of the whole record, as asked for on the audit page."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.base import BigKey
from webapp.db.users import User
from webapp.extensions import Base


class Verification(Base):
    """One run over all leaves. Times are microseconds UTC."""

    __tablename__ = "verifications"

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    asked_us: Mapped[int] = mapped_column(BigInteger)
    #: waiting, running, done, cancelled or failed.
    state: Mapped[str] = mapped_column(String(12))
    #: Checkpoint from outside that it is to be held against; empty: none was given.
    outside: Mapped[str] = mapped_column(Text, default="")
    #: Leaves looked at, of how many.
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger, default=0)
    #: When it last got anywhere, by which another worker sees that it is to be begun again.
    moved_us: Mapped[int] = mapped_column(BigInteger)
    finished_us: Mapped[int | None] = mapped_column(BigInteger)
    #: True: somebody wants it to end.
    cancel: Mapped[bool] = mapped_column(default=False)
    #: JSON: what was found; NULL until it has ended.
    findings: Mapped[str | None] = mapped_column(Text)

    user: Mapped[User] = relationship()
