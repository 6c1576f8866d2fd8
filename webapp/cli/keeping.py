"""How long records are kept: erase them, restrict them, and the rule for all."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from webapp.cli.group import Command
from webapp.doors import desk
from webapp.services import erasure, holds, retention
from webapp.services.erasure import Done, Order, Preview
from webapp.services.targets import Target

SHOWN = 5


@click.command("erase", cls=Command)
@click.argument("records", metavar="[RECORD_ID]...", nargs=-1)
@click.option("--subject", help="Erase all about this subject instead, exactly as it was given.")
@click.option("--basis", required=True, help="Code of the legal basis; a wrong one lists them.")
@click.option(
    "--reason", default="", help="Why, in words, kept for good: name nobody. Needed with the basis other."
)
@click.option(
    "--requested-by", default="subject", show_default=True, help="subject, controller or authority."
)
@click.option("--despite-floor", is_flag=True, help="Erase also what retention says is to be kept longer.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_appcontext
def erase(
    records: tuple[str, ...],
    subject: str | None,
    basis: str,
    reason: str,
    requested_by: str,
    despite_floor: bool,
    yes: bool,
) -> None:
    """Erase what was asked and answered, for good; that it was asked stays on the record."""
    target = Target.of(records, subject)
    found = erasure.preview(target)
    found.refuse()
    _show(found)
    early = bool(found.early and despite_floor)
    if found.early and not despite_floor:
        raise click.ClickException(
            f"Nothing was erased: {_n(found.early, 'record')} must be kept for {found.floor_days} days. Wait until "
            f"{_day(found.possible_us or 0)}, or give --despite-floor, which goes on the record."
        )
    typed = str((erasure.EARLY if early else erasure.USUAL)[0])
    if not yes:
        typed = str(
            click.prompt(f"This cannot be undone. Type {typed} to go on", default="", show_default=False)
        )
    done = erasure.erase(desk(), None, target, Order(basis, reason, requested_by, typed))
    click.echo(_told(done))
    if not done.clean:
        click.echo(
            "Somebody is reading the database, so old bytes are still in its files; a worker overwrites them as soon "
            "as it can.",
            err=True,
        )


@click.command("restrict", cls=Command)
@click.argument("records", metavar="[RECORD_ID]...", nargs=-1)
@click.option("--subject", help="Restrict all about this subject instead, exactly as it was given.")
@click.option("--reason", default="", help="Why, in words, kept for good: name nobody.")
@click.option("--until", default="", help="Day on which it ends by itself, such as 2027-01-31, UTC.")
@click.option("--lift", is_flag=True, help="End the restriction.")
@with_appcontext
def restrict(records: tuple[str, ...], subject: str | None, reason: str, until: str, lift: bool) -> None:
    """Keep records from being erased, and from all but auditors and admins."""
    target = Target.of(records, subject)
    if lift:
        click.echo(f"Lifted the restriction of {_n(holds.lift(None, target), 'record')}.")
        return
    n = holds.restrict(None, target, reason, holds.until(until))
    click.echo(f"Restricted {_n(n, 'record')}{f' until {until.strip()} UTC' if until.strip() else ''}.")


@click.command("retention", cls=Command)
@click.option("--days", type=int, help="Erase what is older than so many days.")
@click.option("--keep", is_flag=True, help="Erase nothing by itself.")
@click.option("--floor-days", type=int, help="Erase nothing younger than so many days on request either.")
@click.option("--yes", is_flag=True, help="Do not ask, also for less than six months.")
@with_appcontext
def retain(days: int | None, keep: bool, floor_days: int | None, yes: bool) -> None:
    """Show for how long records are kept, or set it."""
    now = retention.rule(None)
    if days is not None and keep:
        raise click.UsageError("--days and --keep exclude each other.")
    wanted = None if keep else now.days if days is None else days
    floor = now.floor_days if floor_days is None else floor_days
    if (wanted, floor) != (now.days, now.floor_days):
        short = retention.shortens(wanted, floor)
        typed = retention.SHORT[0] if yes else ""
        due = retention.due(None, wanted)
        if due.records:
            first, last = _day(due.first_us), _day(due.last_us)
            click.echo(
                f"{_n(due.records, 'record')}, asked from {first} to {last}, will be erased from now on."
            )
        if short and not yes:
            typed = str(click.prompt(f"Type {retention.SHORT[0]} to go on", default="", show_default=False))
        elif not yes and due.records:
            click.confirm("This cannot be undone. Go on?", abort=True)
        now = retention.change(None, days=wanted, floor_days=floor, typed=typed)
    kept = "for ever" if now.days is None else f"for {_n(now.days, 'day')}, then erased"
    click.echo(f"Records are kept {kept}; before {_n(now.floor_days, 'day')} nothing is erased on request.")


COMMANDS = (erase, restrict, retain)


def _show(found: Preview) -> None:
    if found.records:
        click.echo(
            f"{_n(found.records, 'record')}, asked from {_day(found.first_us)} to {_day(found.last_us)}"
        )
    if found.erased:
        click.echo(f"{_n(found.erased, 'record')} erased before")
    if found.early and found.possible_us is not None:
        click.echo(
            f"{_n(found.early, 'record')} younger than {found.floor_days} days; all are old enough on "
            f"{_day(found.possible_us)}"
        )
    counted = (found.reviews, "review"), (found.outcomes, "outcome")
    traces = (
        (len(found.traces.filters), "saved filter"),
        (len(found.traces.events), "entry of exports and prints"),
    )
    for n, word in (*counted, *traces):
        if n:
            click.echo(f"{n} {word}" if n == 1 else f"{n} {_plural(word)}")
    for batch in found.batches[:SHOWN]:
        click.echo(f"file and result of the batch {batch.id}, with all of its rows")
    if len(found.batches) > SHOWN:
        click.echo(f"and of {len(found.batches) - SHOWN} more batches")


def _told(done: Done) -> str:
    events = " ".join(done.said[:SHOWN]) + (" …" if len(done.said) > SHOWN else "")
    return f"Erased {_n(done.records, 'record')}; on the record as {events}"


def _n(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {_plural(word)}"


def _plural(word: str) -> str:
    head, _, rest = word.partition(" of ")
    head = f"{head[:-1]}ies" if head.endswith("y") and not head.endswith("ay") else f"{head}s"
    return f"{head} of {rest}" if rest else head


def _day(us: int | None) -> str:
    return "–" if us is None else f"{datetime.fromtimestamp(us / 1_000_000, UTC):%Y-%m-%d}"
