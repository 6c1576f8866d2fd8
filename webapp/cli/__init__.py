"""Commands for operators, who hold the database anyway: they act in nobody's name."""

from __future__ import annotations

from flask import Flask

from webapp.cli import audit, jobs, keeping, models, people


def init_app(app: Flask) -> None:
    """Register the commands."""
    for group in (people.user, people.token, models.model, audit.audit, jobs.worker, *keeping.COMMANDS):
        app.cli.add_command(group)
