"""The Merkle tree over the leaves, and what was signed of it.

Which leaf is where follows from the order of `leaves.seq`; nothing is written to a leaf when it is sealed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.extensions import Base


class Log(Base):
    """How far the tree goes; one row. Whoever extends the tree moves it from the place they started at."""

    __tablename__ = "logs"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: First line of every checkpoint; a restore that lost entries gives it another end.
    origin: Mapped[str] = mapped_column(String(60))
    #: Leaves in the tree, and the last of them.
    size: Mapped[int] = mapped_column(BigInteger)
    last_seq: Mapped[int] = mapped_column(BigInteger)
    #: Why nothing more is sealed; empty: it is.
    trouble: Mapped[str] = mapped_column(String(300), default="")


class Tile(Base):
    """Up to 256 neighbouring hashes of 32 bytes: of leaves on level 0, of whole tiles of the level below above it."""

    __tablename__ = "tiles"
    __table_args__ = (Index("ix_tiles_level_last_seq", "level", "last_seq"),)

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)
    #: `leaves.seq` of the last leaf in it; 0 above level 0.
    last_seq: Mapped[int] = mapped_column(BigInteger)


class Checkpoint(Base):
    """What the sealing key has signed: so many leaves, and the root over them."""

    __tablename__ = "checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_us: Mapped[int] = mapped_column(BigInteger, index=True)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    #: A C2SP signed note.
    note: Mapped[str] = mapped_column(Text)


class Anchor(Base):
    """A place outside that checkpoints are sent to, and how it went last."""

    __tablename__ = "anchors"

    #: file, email or webhook.
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    #: When one last arrived there, and of how many leaves; NULL: never.
    sent_us: Mapped[int | None] = mapped_column(BigInteger)
    size: Mapped[int | None] = mapped_column(BigInteger)
    tried_us: Mapped[int] = mapped_column(BigInteger)
    #: Why the last try failed; empty: it did not.
    error: Mapped[str] = mapped_column(String(200), default="")
