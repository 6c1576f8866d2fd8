"""What has to be true before the first request: tables as the code expects, models to ask, somebody to sign in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app
from sqlalchemy import Connection, Engine

from webapp.db.base import write_lock
from webapp.db.engine import WriteLock
from webapp.doors import desk
from webapp.extensions import db
from webapp.services import erasure, installation, predictions, registry, users
from webapp.services.backups.placing import settle
from webapp.services.backups.serving import Serving, alone, unfinished

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
PREPARE_SECONDS = 300.0


def prepare(app: Flask, lock: Path, *, demos: bool, settings: Mapping[str, str] | None = None) -> None:
    """Migrate, note changed settings, publish the demo models into an empty registry, create the first admin.

    Safe to repeat. `settings` is name → value, without secrets.

    One at a time holds the file `lock`: two first starts must not both find the registry empty. Raises NotReady
    when another has held it for PREPARE_SECONDS.
    """
    place = app.extensions["installation"]
    if unfinished(place.data_dir):
        with alone(place.data_dir):
            print(settle(place), flush=True)  # noqa: T201
    with Serving(place.data_dir):
        get_ready(app, lock, demos=demos, settings=settings)


def get_ready(app: Flask, lock: Path, *, demos: bool, settings: Mapping[str, str] | None = None) -> None:
    """As `prepare`, for who holds the installation already."""
    with WriteLock(lock, PREPARE_SECONDS)(), app.app_context():
        migrate()
        predictions.forget_keys()
        if again := erasure.reapply(desk()):
            erasure.clean()
            told = f"Erased {again} records again, which an older copy of the database had brought back"
            print(told, flush=True)  # noqa: T201
        if settings is not None:
            installation.note(settings)
        if demos and not registry.list_models(None):
            publish_demos()
        password = users.first_admin()
        if password:
            address = f"{current_app.config['BASE_URL']}/login".replace("//0.0.0.0:", "//127.0.0.1:")
            print(f"Sign in at {address} as admin with the one-time password {password}", flush=True)  # noqa: T201


def migrate(engine: Engine | None = None) -> None:
    """Bring the database, or another one, to the newest revision."""
    from alembic import command  # a fifth of all that is imported, and whoever only serves needs none of it
    from alembic.runtime.migration import MigrationContext

    with (engine or db.engine).connect() as connection:
        there = MigrationContext.configure(connection).get_current_revision()
    if there == _scripts().get_current_head():
        return  # and no reference need be followed to see that none leads nowhere
    with migrating(engine) as settings:
        command.upgrade(settings, "head")


def revisions() -> set[str]:
    """All that this software knows."""
    return {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_settings())


def _settings() -> Config:
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    return settings


@contextmanager
def migrating(engine: Engine | None = None) -> Iterator[Config]:
    """Alembic's settings for this database, and all that is done with them in one transaction."""
    settings, engine = _settings(), engine or db.engine
    # One at a time: two starting processes must not both create the tables.
    with write_lock()(), engine.connect() as connection, _tables_may_be_remade(connection):
        settings.attributes["connection"] = connection
        yield settings
        _refuse_loose_ends(connection)
        connection.commit()


@contextmanager
def _tables_may_be_remade(connection: Connection) -> Iterator[None]:
    """Let SQLite drop a table that others refer to, as it must where a table is copied into its new shape.

    See sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes".
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    file: Any = connection.connection.dbapi_connection  # within a transaction the pragma would do nothing
    file.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        file.execute("PRAGMA foreign_keys=ON")


def _refuse_loose_ends(connection: Connection) -> None:
    """Raises RuntimeError where a reference would lead nowhere, which nobody looked after in the meantime."""
    if connection.dialect.name == "sqlite":
        loose = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(5)
        if loose:
            raise RuntimeError(f"The new tables would hold references that lead nowhere: {loose}")


def publish_demos() -> None:
    """Train and publish the demo models."""
    from webapp.ml.demos import demos  # brings scikit-learn, which a later start does not need
    from webapp.ml.packaging import package

    for demo in demos():
        begun = time.monotonic()
        estimator, X, y, *test = demo.make()
        made = package(estimator, X, y, format="skops", test=tuple(test), card=demo.card, edits=demo.edits)
        registry.publish(desk().store, made, name=demo.name, title=demo.title, description=demo.description)
        print(f"Published the demo model {demo.name} in {time.monotonic() - begun:.1f} s", flush=True)  # noqa: T201
