"""Which version of a model answers; these commands belong to the group `model`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from webapp.cli.models import model
from webapp.doors import desk
from webapp.services import registry, releases
from webapp.services.releases import Released

NAME = click.argument("name", metavar="MODEL")


@model.command("promote")
@NAME
@click.argument("version")
@click.option("--reason", required=True, help="Why; it goes on the record.")
def promote(name: str, version: str, reason: str) -> None:
    """Make a version the one that answers; the operator needs no second person."""
    _tell(releases.promote(desk(), None, name, version, reason=reason, revision=None))


@model.command("rollback")
@NAME
@click.argument("version", required=False)
@click.option("--reason", default="", help="Why; it goes on the record.")
def roll_back(name: str, version: str | None, reason: str) -> None:
    """Let an earlier version answer again: VERSION, or the one before the present."""
    _tell(releases.roll_back(desk(), None, name, version, reason=reason, revision=None))


@model.command("alias")
@NAME
@click.argument("alias")
@click.argument("version", required=False)
def alias(name: str, alias: str, version: str | None) -> None:
    """Let an alias lead to VERSION, or take it away where none is given."""
    if version is None:
        releases.drop_alias(None, name, alias, revision=None)
        click.echo(f"{name} has no alias {alias} any more.")
    else:
        _tell(releases.set_alias(desk(), None, name, alias, version, revision=None))


@model.command("history")
@NAME
def history(name: str) -> None:
    """List what was live when, newest first."""
    for found in releases.history(name, actor=None):
        until = "now" if found.until_us is None else _time(found.until_us)
        asked = f" (asked by {found.asked_by})" if found.asked_by else ""
        who = f"{found.by or 'operator'}{asked}"
        line = f"version {found.version:<4} {_time(found.at_us)} to {until:<20} {found.kind:<8} {who}"
        click.echo(f"{line}: {' '.join(found.reason.split())}" if found.reason else line)


@model.command("two-people")
@NAME
@click.argument("answer", type=click.Choice(["yes", "no"]))
def two_people(name: str, answer: str) -> None:
    """Set whether a second person has to approve what one promotes."""
    releases.require_two(None, name, answer == "yes")
    click.echo(f"{name} is released by {'two people' if answer == 'yes' else 'one person'}.")


@model.command("export")
@NAME
@click.argument("version", required=False)
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to make; it must not be there yet.",
)
def export(name: str, version: str | None, folder: Path) -> None:
    """Copy the files of VERSION, or of the one that answers, each held against what was published."""
    files = registry.export(desk().store, name, version)
    try:
        folder.mkdir(parents=True)
        for file, data in files.items():
            (folder / file).write_bytes(data)
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be made ({error.strerror}).") from None
    click.echo(f"{len(files)} files in {folder}")


def _tell(made: Released) -> None:
    click.echo(f"{made.alias} of {made.model} leads to version {made.version}.")


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
