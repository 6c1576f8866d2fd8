"""Counters that tell every process when what it remembers is out of date."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import BigInteger, Engine, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from webapp.extensions import Base

ACCESS = "access"  # accounts, sessions, tokens
REGISTRY = "registry"  # models, versions, aliases
ERASURES = "erasures"  # what was asked and answered, let go of


class Change(Base):
    """How often a topic has changed; read before anything remembered about it is trusted."""

    __tablename__ = "changes"

    topic: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, default=0)


#: Held alone by who changes accounts, shared by who writes records: on SQLite the one write lock does this.
_KEY = 0x706172
#: Held shared by whoever may write a leaf, alone by who has to know that none is on its way. Always taken first, or
#: two could wait for each other.
_LEAVES = 0x706173
HOLD_LEAVES = f"SELECT pg_advisory_xact_lock_shared({_LEAVES})"
HOLD_ACCESS = f"{HOLD_LEAVES}, pg_advisory_xact_lock_shared({_KEY})"


def bump(session: Session, topic: str) -> None:
    """Count a change, inside the transaction that makes it."""
    if topic == ACCESS:
        wait_for_writers(session)
    session.execute(update(Change).where(Change.topic == topic).values(number=Change.number + 1))


def wait_for_writers(session: Session) -> None:
    """Return once every record with a number so far is there to be read, inside the caller's transaction.

    PostgreSQL gives out numbers in one order and commits in another; SQLite has one writer at a time.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_KEY)))


def wait_for_leaves(session: Session) -> None:
    """As `wait_for_writers`, for leaves; never inside `transaction()`, which holds this lock itself."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LEAVES)))


class Watch:
    """The counters as this process last saw them; every group commit refreshes them in passing."""

    def __init__(self, engine: Engine, max_age: float = 0.25) -> None:
        self._engine = engine
        self._max_age = max_age
        self._numbers: dict[str, int] = {}
        self._read_at = 0.0
        self._erasures = -1
        #: Called when something has been erased since this process last looked.
        self.erased: Callable[[], None] = lambda: None

    def numbers(self, *, fresh: bool = False) -> dict[str, int]:
        """Topic -> number, at most `max_age` seconds old, or read now if `fresh`."""
        if fresh or time.monotonic() - self._read_at > self._max_age:
            with self._engine.connect() as connection:
                rows = connection.execute(select(Change.topic, Change.number)).all()
            self.saw({row.topic: row.number for row in rows})
        return self._numbers

    def saw(self, numbers: dict[str, int]) -> None:
        """Take over numbers that were read elsewhere."""
        self._numbers = numbers
        self._read_at = time.monotonic()
        erasures = numbers.get(ERASURES, -1)
        if erasures != self._erasures:
            self._erasures = erasures
            self.erased()
