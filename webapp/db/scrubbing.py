"""Make sure that erased bytes are gone from the files of the database, too."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from webapp.errors import NotReady

#: Tables in which an erasure leaves old rows behind.
TABLES = "predictions, reviews, outcomes, events, saved_filters, idempotency_keys, jobs"
PAUSE = 0.05


def scrub(engine: Engine, lock: Callable[[], AbstractContextManager[None]], seconds: float) -> bool:
    """Empty the log of SQLite, where old pages still stand, or VACUUM PostgreSQL.

    Tries for `seconds`; false where somebody who reads for long, or other work on the tables, prevents it.
    """
    if engine.dialect.name == "sqlite":
        return _truncate(engine, lock, seconds)
    return _vacuum(engine, seconds)


def _truncate(engine: Engine, lock: Callable[[], AbstractContextManager[None]], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    connection: Any = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=0")  # waited out here, where others can run
        while True:
            busy = 1
            with suppress(NotReady), lock():
                busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy or time.monotonic() > give_up:
                return not busy
            time.sleep(PAUSE)
    finally:
        connection.invalidate()  # rather than hand on one that does not wait
        connection.close()


def _vacuum(engine: Engine, seconds: float) -> bool:
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"SET lock_timeout = {int(seconds * 1000)}"))
            try:
                connection.execute(text(f"VACUUM {TABLES}"))
            finally:
                connection.execute(text("RESET lock_timeout"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != "55P03":  # lock_not_available
            raise
        return False
    return True
