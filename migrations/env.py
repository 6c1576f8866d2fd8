"""Run migrations on the connection handed over by the application."""

from __future__ import annotations

from alembic import context

from webapp import db as tables  # noqa: F401 - declares every table
from webapp.extensions import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
