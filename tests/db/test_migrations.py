from __future__ import annotations

from collections.abc import Callable

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask

from config import Settings
from tests.conftest import close
from tests.records import Ledger
from webapp import preparation
from webapp.app import create_app
from webapp.db.base import session
from webapp.extensions import Base, db

REVISIONS = [r.revision for r in ScriptDirectory(str(preparation.MIGRATIONS)).walk_revisions()]


def test_revisions_are_a_line() -> None:
    assert sorted(REVISIONS, reverse=True) == REVISIONS
    assert [f"{n:04}" for n in range(1, len(REVISIONS) + 1)] == REVISIONS[::-1]


def test_the_revisions_make_the_tables_of_the_code(app: Flask) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, Base.metadata)
    assert [d for d in differences if "index" not in str(d[0])] == []


@pytest.mark.parametrize("first", REVISIONS[1:])
def test_what_is_on_the_record_outlives_a_migration(
    backend_settings: Callable[..., Settings], first: str
) -> None:
    """A database at an earlier revision, filled, is brought to the newest one."""
    app = create_app(backend_settings())
    with app.app_context():
        Ledger(session()).write()
        before = {t.name: session().query(t).count() for t in Base.metadata.sorted_tables}
        session().rollback()
        with preparation.migrating() as alembic:
            command.downgrade(alembic, first)
        preparation.migrate()
        after = {t.name: session().query(t).count() for t in Base.metadata.sorted_tables}
    close(app)
    kept = ("users", "models", "model_versions", "aliases", "predictions", "events", "leaves", "changes")
    assert {t: after[t] for t in kept} == {t: before[t] for t in kept}
    assert before["predictions"] == 1
