"""How long records are kept: the rule for all, and what holds single ones."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.base import BigKey
from webapp.db.users import User
from webapp.extensions import Base

#: Days of the six months that AI Act art. 26(6) asks for.
FLOOR_DAYS = 183


class Retention(Base):
    """The rule; one row."""

    __tablename__ = "retention"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: Inputs and answers are erased after so many days; NULL: never by themselves.
    days: Mapped[int | None] = mapped_column()
    #: Before so many days nothing is erased on request either.
    floor_days: Mapped[int] = mapped_column()


class Hold(Base):
    """Keeps a record restricted: neither erased, nor shown to whoever does not see all."""

    __tablename__ = "holds"
    __table_args__ = (
        Index(
            "ix_holds_standing",
            "prediction_seq",
            unique=True,
            sqlite_where=text("lifted_us IS NULL"),
            postgresql_where=text("lifted_us IS NULL"),
        ),
    )

    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    prediction_seq: Mapped[int] = mapped_column(ForeignKey("predictions.seq"), index=True)
    at_us: Mapped[int] = mapped_column(BigInteger)
    #: NULL: the operator's command line.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str] = mapped_column(Text)
    #: When it ends by itself; NULL: when somebody lifts it.
    until_us: Mapped[int | None] = mapped_column(BigInteger)
    #: The event that says so.
    event_id: Mapped[str] = mapped_column(String(49))
    #: NULL: it stands.
    lifted_us: Mapped[int | None] = mapped_column(BigInteger)

    user: Mapped[User | None] = relationship()
