"""Back the installation up, and put a backup back."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from webapp import preparation
from webapp.cli.audit import checkpoint_text, sealed
from webapp.cli.group import CHECKPOINTS, Alone, Command
from webapp.doors import desk
from webapp.errors import AppError
from webapp.extensions import db
from webapp.services import sealing
from webapp.services.backups import making, present, restoring
from webapp.services.backups.making import Made, Wanted
from webapp.services.backups.place import Installation, Tell
from webapp.services.backups.placing import settle
from webapp.services.backups.present import Present
from webapp.services.backups.restoring import Candidate, Restored
from webapp.services.backups.serving import alone
from webapp.services.verifying import claims

WITH_KEYS = (
    "This backup holds the secret keys: whoever has it can sign checkpoints and act as anybody. Keep it as you keep "
    "the keys themselves."
)
WITHOUT_KEYS = (
    "The secret keys are not in it. Keep a copy of DATA_DIR/keys apart from it; see docs/how-to/backup.md."
)


@click.command("backup", cls=Command)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--with-keys", is_flag=True, help="With the secret keys: whoever has this backup can sign.")
@click.option("--with-files", is_flag=True, help="With files and results of batches.")
@click.option(
    "--verify-in", default="", metavar="URL", help="PostgreSQL: an empty database to try the copy in."
)
@with_appcontext
def backup(folder: Path, with_keys: bool, with_files: bool, verify_in: str) -> None:
    """Back up the installation into a new FOLDER, while it is used."""
    place: Installation = current_app.extensions["installation"]
    signal.signal(signal.SIGTERM, _interrupted)
    with sealed(), _files("Nothing was backed up"), _progress() as tell:
        wanted = Wanted(with_keys, with_files, verify_in)
        made = making.make(place, desk().seals.keys, folder, wanted, tell)
    for line in _told_backup(folder, made):
        click.echo(line)
    for warning in made.warnings:
        click.echo(f"Note: {warning}", err=True)
    click.echo(WITH_KEYS if with_keys else WITHOUT_KEYS, err=True)


@click.command("restore", cls=Alone)
@click.argument("folder", type=click.Path(path_type=Path))
@CHECKPOINTS
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_appcontext
def restore(folder: Path, checkpoints: tuple[str, ...], yes: bool) -> None:
    """Put the backup in FOLDER in the place of what is there, once all of it has been verified."""
    place: Installation = current_app.extensions["installation"]
    outside = [claim for given in checkpoints for claim in claims.read_all(checkpoint_text(given))]
    keys, revisions = desk().seals.keys, preparation.revisions()
    signal.signal(signal.SIGTERM, _interrupted)
    with alone(place.data_dir), _files("Nothing was replaced"):
        if told := settle(place):
            click.echo(told)
        with _progress() as tell:
            candidate = restoring.examine(place, keys, folder, outside, revisions, tell)
        now = present.look(place, candidate.manifest, candidate.root)
        _let_go_of_the_database()
        _ask(place, now, candidate, yes)
        with _progress() as tell:
            restored = restoring.restore(place, keys, candidate, now.origin, preparation.migrate, tell)
        _get_ready(place)
        for line in _told_restore(place, candidate, restored):
            click.echo(line)


def _get_ready(place: Installation) -> None:
    _let_go_of_the_database()
    app: Any = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        preparation.get_ready(app, place.data_dir / "prepare.lock", demos=False)
        with sealed():
            sealing.seal_and_tell(desk().seals.keys)
    except (AppError, click.ClickException, OSError) as error:
        raise click.ClickException(
            f"The backup is in place, but is not ready yet: {error}. When that is mended: python run.py prepare"
        ) from None


def _let_go_of_the_database() -> None:
    db.session.remove()
    db.engine.dispose()


def _ask(place: Installation, now: Present, candidate: Candidate, yes: bool) -> None:
    for line in _before(place, now, candidate):
        click.echo(line)
    if not yes:
        click.confirm("Put the backup in its place?", abort=True)


def _before(place: Installation, now: Present, candidate: Candidate) -> Iterator[str]:
    manifest = candidate.manifest
    where = place.url.render_as_string(hide_password=True)
    if not now.there:
        yield f"There now, at {where}: nothing."
    elif now.trouble:
        yield f"There now, at {where}: a database that cannot be read ({now.trouble})."
    else:
        newest = "" if now.newest_us is None else f", the newest of {_time(now.newest_us)}"
        yield (
            f"There now, at {where}: log {now.origin}, {now.entries} entries; {now.predictions} predictions{newest}."
        )
    yield (
        f"The backup: log {manifest.origin}, {manifest.entries} entries; {manifest.predictions} predictions; made "
        f"{manifest.made} by version {manifest.software}, {'with' if manifest.with_keys else 'without'} secret keys."
    )
    if now.lost is None:
        yield "How many entries would be lost cannot be told: what is there now did not grow out of this backup."
    elif now.there:
        yield f"Entries that are there now and not in the backup, and would be lost: {now.lost}."
    if not candidate.outside:
        yield (
            "No checkpoint from outside was given: the backup is held against its own signature only. Whoever has "
            "the sealing key could have made it."
        )
    if manifest.database == "postgresql":
        yield "Make sure that no other machine serves this database: that cannot be seen from here for certain."


def _told_backup(folder: Path, made: Made) -> Iterator[str]:
    manifest = made.manifest
    yield (
        f"Backed up to {folder}: {manifest.entries} entries, {len(manifest.files)} files, "
        f"{manifest.n_bytes / 1e6:,.1f} MB, verified."
    )
    if made.root:
        yield "Keep this elsewhere, on paper or another machine, to hold the backup against when it is restored:"
        yield f"  {manifest.origin}"
        yield f"  {manifest.size} {claims.groups(made.root)}"
    if left := manifest.entries - manifest.size:
        yield f"{left} more entries in it came while it was made, and are not under that checkpoint."


def _told_restore(place: Installation, candidate: Candidate, restored: Restored) -> Iterator[str]:
    gone, manifest = restored.gone, candidate.manifest
    yield f"Restored: {gone.entries} entries, as of {manifest.made}."
    for aside in restored.aside:
        yield f"What was there before is in {aside}; delete it once you are sure. Nothing else does."
    if gone.parted:
        yield (
            f"The log goes on as {gone.after}. Checkpoints of it as {gone.before} hold up to {gone.entries} entries; "
            "those of more do not any more, and verification says so."
        )
        if gone.signed is None:
            yield "Whether there were more entries after this backup is not known on this machine."
    else:
        yield f"Nothing that was sealed is lost; the log goes on as {gone.after}."
    if manifest.secret_key != place.fingerprint() and not manifest.with_keys:
        yield (
            "SECRET_KEY is not the one of the backup: everybody signs in again, and second factors cannot be read. "
            "Put the old keys into DATA_DIR/keys, or take the second factors off: flask user reset-second-factor NAME"
        )
    signed = {name for name in manifest.files if name.endswith(".vkey")}
    newest = sealing.newest()
    if newest is not None:
        new = [key for key in desk().seals.keys.known() if f"keys/sealing/{key.id.hex()}.vkey" not in signed]
        if any(key.name == sealing.key_name(newest.origin) for key in new):
            yield "Checkpoints are signed by another key from now on. Give it to who verifies: flask audit key"
        yield "The newest checkpoint now:"
        yield f"  {newest.origin}"
        yield f"  {newest.size} {claims.groups(newest.root)}"
    yield "Start the desk again: make run"


@contextmanager
def _files(refusal: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        raise click.ClickException(f"{refusal}: {error.strerror or error}{where}.") from None


@contextmanager
def _progress() -> Iterator[Tell]:
    """A line on a terminal that says what is being done; nothing elsewhere."""
    shown, terminal = "", sys.stderr.isatty()

    def tell(what: str, done: int, total: int) -> None:
        nonlocal shown
        line = f"{what}: {done * 100 // max(total, 1)} %"
        if terminal and line != shown:
            click.echo(f"\r{line:<40}", nl=False, err=True)
            shown = line

    try:
        yield tell
    finally:
        if shown:
            click.echo(f"\r{'':<40}\r", nl=False, err=True)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(sep=" ", timespec="seconds")


COMMANDS = (backup, restore)
