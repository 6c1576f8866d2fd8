"""Commands for operators, who hold the database anyway: they act in nobody's name."""

from __future__ import annotations

from flask import Flask

from webapp.cli import audit, backups, jobs, keeping, models, people, releases  # noqa: F401 - adds to models


def init_app(app: Flask) -> None:
    """Register the commands."""
    single = people.user, people.token, models.model, audit.audit, jobs.worker
    for group in (*single, *keeping.COMMANDS, *backups.COMMANDS):
        app.cli.add_command(group)
