"""People and their tokens."""

from __future__ import annotations

import sys

import click

from webapp import auth
from webapp.cli.group import Group
from webapp.services import second_factor, tokens, users

DAY = 24 * 3600


user = Group("user", help="People who may sign in.")
token = Group("token", help="Tokens for programs.")


@user.command("create")
@click.argument("name")
@click.option("--role", required=True, help="analyst, publisher, auditor or admin.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)
def create_user(name: str, role: str, password_stdin: bool) -> None:
    """Make an account."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    made = users.create(name, role, password, actor=None)
    click.echo(f"Made the {made.role} {made.username}.")


@user.command("disable")
@click.argument("name")
def disable_user(name: str) -> None:
    """End an account's sessions and tokens and let it sign in no more."""
    users.disable(name, None)
    click.echo(f"Disabled {name}; its records stay.")


@user.command("enable")
@click.argument("name")
def enable_user(name: str) -> None:
    """Let a disabled account sign in again."""
    users.enable(name, None)
    click.echo(f"Enabled {name}.")


@user.command("reset-password")
@click.argument("name")
def reset_password(name: str) -> None:
    """Print a one-time password; the old one, and all sessions and tokens, end."""
    click.echo(users.reset_password(name, None))


@user.command("reset-second-factor")
@click.argument("name")
def reset_second_factor(name: str) -> None:
    """Ask NAME for no code any more, and end all sessions and tokens."""
    second_factor.reset(name, None)
    click.echo(f"{name} signs in with the password alone now.")


@user.command("list")
def list_users() -> None:
    """List the accounts."""
    for person in users.list_all(None):
        click.echo(
            f"{person.username:<24} {person.role:<10} {'disabled' if person.disabled else ''}".rstrip()
        )


@token.command("create")
@click.argument("name")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long it is good."
)
def create_token(name: str, days: int) -> None:
    """Print an access token for a program that acts as NAME."""
    click.echo(auth.long_token(tokens.issue(name, days * DAY)))
