"""The session and the one way to write with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

from flask import current_app
from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import Session

from webapp.db.changes import HOLD_LEAVES
from webapp.db.engine import WriteLock
from webapp.db.leader import Leader
from webapp.extensions import db

#: A 64-bit key that SQLite also recognises as its rowid.
BigKey = BigInteger().with_variant(Integer, "sqlite")

_writing = threading.local()


def session() -> Session:
    """The session of this request or command."""
    return cast(Session, db.session)


def write_lock() -> WriteLock:
    """The lock of this application's database."""
    return cast(WriteLock, current_app.extensions["write_lock"])


def leader() -> AbstractContextManager[bool]:
    """The election of this application's database; see `Leader`."""
    return cast(Leader, current_app.extensions["leader"])()


def snapshot() -> Session:
    """The session, begun anew so that all it reads until its next rollback is of one moment."""
    current = session()
    current.rollback()
    if current.get_bind().dialect.name == "postgresql":  # a SQLite transaction reads so anyway
        current.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    return current


@contextmanager
def transaction() -> Iterator[Session]:
    """One write transaction: commits at the end, rolls back on an error. Never nested: one per public writer."""
    if getattr(_writing, "now", False):
        raise RuntimeError("a write transaction is already open; one public writer called another")
    current = session()
    current.rollback()  # a snapshot taken before the lock could not be upgraded to write
    with write_lock()():
        _writing.now = True
        try:
            connection = current.connection(execution_options={"writes": True})
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(HOLD_LEAVES)
            yield current
            current.commit()
        except BaseException:
            current.rollback()
            raise
        finally:
            _writing.now = False
