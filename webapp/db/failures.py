"""Requests that got no answer, counted: they leave no record, but a dashboard has to show them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.db.base import BigKey
from webapp.extensions import Base


class Failure(Base):
    """Some failed predict requests of one minute, model and kind; several rows may add up."""

    __tablename__ = "failures"
    __table_args__ = (Index(None, "minute_us"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    #: Start of the minute, microseconds UTC.
    minute_us: Mapped[int] = mapped_column(BigInteger)
    #: NULL: the model asked for does not exist.
    model_id: Mapped[int | None] = mapped_column()
    #: The domain error, such as InvalidInput or NotReady.
    kind: Mapped[str] = mapped_column(String(24))
    count: Mapped[int] = mapped_column()
