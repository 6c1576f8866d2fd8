"""Leaves of the audit log, and the events that are not predictions."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db.base import BigKey
from webapp.extensions import Base


class Leaf(Base):
    """One entry of the audit log: the bytes that were hashed. Its place in the tree is that of `seq` among all."""

    __tablename__ = "leaves"

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    #: The prediction or event it stands for.
    record_id: Mapped[str] = mapped_column(String(49), unique=True)
    kind: Mapped[str] = mapped_column(String(24))
    #: Stored as hashed, never written anew from the record.
    canonical: Mapped[str] = mapped_column(Text)
    #: SHA-256(0x00 ‖ canonical), the leaf hash of RFC 6962 §2.1.
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    #: The process that wrote it, and its count there: a row taken away before sealing leaves a gap.
    writer: Mapped[str] = mapped_column(String(22))
    writer_seq: Mapped[int] = mapped_column(BigInteger)


class Event(Base):
    """Something on the record that is not a prediction: a publish, a sign-in refused, an export."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "kind", "at_us"),
        Index(None, "user_id", "at_us", "kind"),
        Index(None, "about_id", "at_us", "kind"),
    )

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    id: Mapped[str] = mapped_column(String(49), unique=True)
    kind: Mapped[str] = mapped_column(String(24))
    at_us: Mapped[int] = mapped_column(BigInteger, index=True)
    #: NULL: the operator's command line, or nobody known.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    #: The account it happened to, where it happened to one.
    about_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    #: JSON as committed to; NULL once erased.
    facts: Mapped[str | None] = mapped_column(Text)
    #: 32 random bytes; NULL once erased.
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(32))
