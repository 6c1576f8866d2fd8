"""PostgreSQL: its own client tools for the copy; tables are put into another schema while a backup is loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError

from webapp.errors import Conflict, NotReady
from webapp.extensions import Base
from webapp.services.backups.place import Unusable, create

HELP = (
    "{tool} is needed and was not found: install the client tools of PostgreSQL, at least of the server's version "
    "(on Debian: apt install postgresql-client), so that it is on PATH."
)
REVISIONS = "alembic_version"


def tool(name: str) -> str:
    """Where a client tool is; raises NotReady with what to install."""
    found = shutil.which(name)
    if found is None:
        raise NotReady(HELP.format(tool=name))
    return found


def checked_url(given: str) -> URL:
    """The URL of a PostgreSQL database; raises Conflict."""
    try:
        url = make_url(given)
        if url.get_backend_name() == "postgresql":
            return url.set(drivername="postgresql+psycopg")
    except ArgumentError:
        pass
    raise Conflict("--verify-in needs the URL of a PostgreSQL database: postgresql://user@host/name")


def engine_of(url: URL) -> Engine:
    """An engine that keeps nothing open."""
    return create_engine(url, poolclass=NullPool)


@contextmanager
def snapshot(url: URL) -> Iterator[tuple[Connection, str]]:
    """A connection that reads one moment, and the name by which pg_dump reads the same."""
    with engine_of(url).connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection, str(connection.scalar(text("SELECT pg_export_snapshot()")))


def dump(url: URL, target: Path, tables: Sequence[str], snapshot: str = "") -> None:
    """Write our tables into one new file, on disk when this returns. Raises NotReady, OSError."""
    with engine_of(url).connect() as connection:
        schema = connection.scalar(text("SELECT current_schema()"))
    wanted = [f'--table="{schema}"."{name}"' for name in tables]
    options = [
        "--format=custom",
        "--compress=1",
        "--no-owner",
        "--no-privileges",
        f"--file={target}",
        *wanted,
    ]
    file = create(target)
    try:
        _run("pg_dump", url, *options, *([f"--snapshot={snapshot}"] if snapshot else []))
        os.fsync(file)
    finally:
        os.close(file)


def check(file: Path) -> None:
    """Whether all of a dump can be read; raises Unusable, NotReady."""
    done = subprocess.run(  # noqa: S603 - the tool that was found, and a path
        [tool("pg_restore"), "--file=/dev/null", str(file)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unusable(f"The copy of the database is damaged: {_first(done.stderr)}")


def load(url: URL, file: Path) -> None:
    """Make the tables of a dump, all or none. Raises NotReady."""
    _run(
        "pg_restore",
        url,
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        str(file),
    )


def ours(connection: Connection) -> list[str]:
    """Tables of this software that are there."""
    known = {*Base.metadata.tables, REVISIONS}
    return sorted(known.intersection(inspect(connection).get_table_names()))


def refuse_others(url: URL) -> None:
    """Raises Conflict while anybody else is connected: a server elsewhere, or what a killed restore has left."""
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with engine_of(url).connect() as connection:
        n = connection.scalar(text(asked))
    if n:
        raise Conflict(
            f"Others are connected to the database ({n}): stop every server, worker and tool that uses it, on other "
            "machines too, and try again."
        )


def put_aside(url: URL, schema: str) -> None:
    """Move our tables into a schema of their own, in one transaction."""
    with engine_of(url).begin() as connection:
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
        for name in ours(connection):
            connection.execute(text(f'ALTER TABLE "{name}" SET SCHEMA "{schema}"'))


def put_back(url: URL, schema: str) -> None:
    """Undo `put_aside`, letting go of what was loaded meanwhile, in one transaction; absent is fine."""
    with engine_of(url).begin() as connection:
        if schema not in inspect(connection).get_schema_names():
            return
        _drop(connection)
        home = connection.scalar(text("SELECT current_schema()"))
        for name in inspect(connection).get_table_names(schema):
            connection.execute(text(f'ALTER TABLE "{schema}"."{name}" SET SCHEMA "{home}"'))
        connection.execute(text(f'DROP SCHEMA "{schema}"'))


def let_go(url: URL, schema: str) -> None:
    """Drop what was put aside."""
    with engine_of(url).begin() as connection:
        connection.execute(text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))


def drop(url: URL) -> None:
    """Drop our tables."""
    with engine_of(url).begin() as connection:
        _drop(connection)


def _drop(connection: Connection) -> None:
    if names := ours(connection):
        connection.execute(text("DROP TABLE " + ", ".join(f'"{name}"' for name in names) + " CASCADE"))


def _run(name: str, url: URL, *options: str) -> None:
    # Everybody on this machine can read a command line, so the password goes through the environment.
    place = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environment = dict(os.environ)
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
    done = subprocess.run(  # noqa: S603 - the tool that was found, and options of ours
        [tool(name), "--no-password", f"--dbname={place}", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotReady(f"{name} failed: {_first(done.stderr)}")


def _first(told: str) -> str:
    lines = [line for line in told.splitlines() if line.strip()]
    return lines[0][:300] if lines else "it does not say why"
