"""Verifying the record: every leaf, the tree over them, every checkpoint, and what stands beside.

All of it is read in one snapshot, so that it can be done while predictions come in. Without a checkpoint from outside
it shows damage, and forgery by whoever lacks the sealing key; with one, also what somebody with the key has done to
the entries that it covers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InvalidRequestError, OperationalError, ProgrammingError

from webapp.db.base import session
from webapp.services import sealing
from webapp.services.sealing.keys import Keyring
from webapp.services.verifying import agreement
from webapp.services.verifying.claims import Claim
from webapp.services.verifying.findings import Findings, Outside
from webapp.services.verifying.leaves import leniently
from webapp.services.verifying.one import Standing, standing
from webapp.services.verifying.roots import remembered
from webapp.services.verifying.walk import Tell, Walk
from webapp.wording import said

__all__ = ["Findings", "Outside", "Standing", "standing", "verify", "verify_in", "verify_on"]


def verify(keys: Keyring, outside: Sequence[Claim] = (), tell: Tell = lambda done, total: None) -> Findings:
    """Look at everything; nothing is written. `outside` are checkpoints that were kept elsewhere."""
    try:
        sealing.last_leaf()  # so that the snapshot has no holes that would be filled later
    except (OperationalError, ProgrammingError):  # no database at all
        raise
    except (DBAPIError, UnicodeDecodeError):  # of an error's own text; will be found again
        session().rollback()
    return verify_in(cast(Engine, session().get_bind()), keys, outside, tell)


def verify_in(
    engine: Engine, keys: Keyring, outside: Sequence[Claim] = (), tell: Tell = lambda done, total: None
) -> Findings:
    """As `verify`, in any database, over a connection of its own."""
    newest = remembered(keys)  # before the snapshot, or it may speak for entries that came after that
    level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    nothing = Findings()
    with _damage(engine, nothing), engine.connect().execution_options(**level) as connection:
        return verify_on(connection, keys, outside, tell, newest)
    return nothing  # not even opened


def verify_on(
    connection: Connection,
    keys: Keyring,
    outside: Sequence[Claim] = (),
    tell: Tell = lambda done, total: None,
    newest: str | None = None,
) -> Findings:
    """As `verify`, of the moment that this connection's transaction reads.

    `newest` is the note kept with the key as it was before that moment; without it, that of now.
    """
    newest = remembered(keys) if newest is None else newest
    begun, found = time.perf_counter(), Findings()
    good: set[str] = set()
    with _damage(connection.engine, found):
        walk = Walk(connection, keys, newest, outside, found, tell)
        good = walk.good
        walk.leaves()
    with _damage(connection.engine, found), leniently(connection.connection):
        agreement.check(connection, found, good)
    if connection.dialect.name == "sqlite":  # what no entry stands for, and indexes
        with _damage(connection.engine, found):
            for line in connection.exec_driver_sql("PRAGMA integrity_check").scalars():
                if line != "ok":
                    found.blame(None, "", _unreadable(line))
    found.seconds = time.perf_counter() - begun
    found.rate = (found.size + found.unsealed) / found.seconds
    return found


@contextmanager
def _damage(engine: Engine, found: Findings) -> Iterator[None]:
    """What keeps the rest from being read is found as well."""
    assert engine.dialect.dbapi is not None  # noqa: S101 - an engine has one
    try:
        yield
    except engine.dialect.dbapi.Error as error:
        found.blame(None, "", _unreadable(error))
    except DBAPIError as error:
        found.blame(None, "", _unreadable(error.orig))
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        InvalidRequestError,
    ) as error:
        found.blame(None, "", _unreadable(f"a value is of no kind that is stored here ({error})"))


def _unreadable(error: object) -> str:
    return said("the database cannot be read: {why}", why=(str(error).splitlines() or [""])[0][:200])
