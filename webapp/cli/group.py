"""How commands end when they are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

from webapp.errors import AppError, InvalidInput, Problem
from webapp.services.backups.serving import Serving

CHECKPOINTS = click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="FILE|TEXT",
    help="A checkpoint kept elsewhere: a file, or “SIZE ROOT” as printed. May be given several times.",
)
ARGUMENTS = {"username": "NAME", "records": "RECORD_ID", "alias": "ALIAS"}


class Group(AppGroup):
    """Commands that end with one sentence and status 1 when they are refused."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises click.ClickException with an error's own words."""
        with _telling(lambda: self.commands[ctx.invoked_subcommand or ""]), _at_work():
            return super().invoke(ctx)


class Command(click.Command):
    """A command without a group, that ends like those of one."""

    def invoke(self, ctx: click.Context) -> Any:
        """As of a Group."""
        with _telling(lambda: self), _at_work():
            return super().invoke(ctx)


class Alone(click.Command):
    """As Command, of one that sees to it itself that nobody else is at work."""

    def invoke(self, ctx: click.Context) -> Any:
        """As of a Group."""
        with _telling(lambda: self):
            return super().invoke(ctx)


def _at_work() -> Serving:
    """Keeps restores away; raises Conflict while one is under way."""
    return Serving(current_app.extensions["installation"].data_dir)


@contextmanager
def _telling(command: Callable[[], click.Command]) -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        options = {o for p in command().params for o in p.opts}
        told = (_told(problem, options) for problem in error.problems)
        raise click.ClickException("; ".join(told)) from None
    except AppError as error:
        raise click.ClickException(error.detail) from None
    except (OperationalError, ProgrammingError) as error:
        where = make_url(current_app.config["SQLALCHEMY_DATABASE_URI"]).database
        if _takes_no_more(error.orig):
            raise click.ClickException(
                f"Nothing was changed, because the database at {where} cannot be written to ({error.orig}); "
                "make room there, or let this account write there, and try again."
            ) from None
        raise click.ClickException(
            f"There is no prepared database at {where}. Set DATA_DIR or DATABASE_URL as for the server, "
            "or prepare a new installation: python run.py prepare"
        ) from None


def _takes_no_more(error: BaseException | None) -> bool:
    """Whether a database is there, but full, read-only or on a failing disk."""
    name, state = getattr(error, "sqlite_errorname", ""), getattr(error, "sqlstate", None) or ""
    return name.startswith(("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR")) or state in ("53100", "25006")


def _told(problem: Problem, options: set[str]) -> str:
    """A problem of a command, under the name by which it takes the value."""
    word = problem.pointer.removeprefix("#/")
    option = f"--{word.replace('_', '-')}"
    return f"{option if option in options else ARGUMENTS.get(word, word)}: {problem.detail}"
