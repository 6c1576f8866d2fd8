"""The record as evidence: verify it, take checkpoints and all of it away, look after the key."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from webapp.cli.group import CHECKPOINTS, Group
from webapp.doors import desk
from webapp.errors import NotReady
from webapp.services import disclosures, sealing
from webapp.services.sealing import Broken, export
from webapp.services.sealing.notes import Unsound
from webapp.services.verifying import Findings, claims, verify

audit = Group("audit", help="The record as evidence.")
#: Exit statuses: something is altered; nothing is, but a checkpoint does not agree; nothing from outside says so.
ALTERED, UNDECIDED, UNANCHORED = 1, 2, 3
SHOWN = 20
#: Of fewer entries a speed says nothing.
WORTH_TIMING = 10_000


@audit.command("verify")
@CHECKPOINTS
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def verify_record(checkpoints: tuple[str, ...], as_json: bool) -> None:
    """Verify every entry, the tree over them, and all checkpoints.

    Status 0: nothing is altered, and a checkpoint from outside agrees. 1: something is. 2: nothing is, but a checkpoint
    seems to be mistyped, or is of entries that a restore has lost. 3: nothing is, as far as can be told without a
    checkpoint from outside.
    """
    outside = [claim for given in checkpoints for claim in claims.read_all(checkpoint_text(given))]
    with click.progressbar(length=1, label="Verifying", file=sys.stderr) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        found = verify(desk().seals.keys, outside, tell)
    if as_json:
        told = found.to_dict() | {"sound": found.sound, "anchored": found.anchored}
        click.echo(json.dumps(told | {"unanchored": found.unanchored}, indent=2))
    else:
        for line in _told(found):
            click.echo(line)
    if found.undecided:
        sys.exit(UNDECIDED)
    if not found.sound:
        sys.exit(ALTERED)
    if not found.anchored:
        sys.exit(UNANCHORED)


@audit.command("checkpoint")
def checkpoint() -> None:
    """Seal what there is, and print the newest checkpoint: something to keep elsewhere."""
    with sealed():
        sealing.seal_and_tell(desk().seals.keys)
    newest = sealing.newest()
    if newest is None:
        raise NotReady("Nothing is on the record yet.")
    click.echo(newest.note, nl=False)


@audit.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--no-personal", is_flag=True, help="Without inputs, answers and facts: only what was hashed.")
def export_record(file: str, no_personal: bool) -> None:
    """Write the whole record to FILE (- for standard output), as tools/verify_record.py reads it."""
    with sealed():
        sealing.seal_and_tell(desk().seals.keys)
    disclosures.export_begun(None, "evidence", {"personal": str(not no_personal).lower()}, [])
    n = 0
    with click.open_file(file, "wb") as out:
        for line in export.lines(desk().seals.keys, personal=not no_personal):
            out.write(line)
            n += 1
    click.echo(f"{n} lines written.", err=True)


@audit.command("key")
def key() -> None:
    """Print the public keys that checkpoints are signed with, oldest use first: give them to who verifies."""
    with sealed():
        sealing.seal_and_tell(desk().seals.keys)
    for known in desk().seals.keys.known():
        click.echo(known.text())


@audit.command("rotate-key")
def rotate_key() -> None:
    """Sign with a new key from now on; the next checkpoint carries the signatures of both."""
    with sealed():
        made = sealing.rotate(desk().seals.keys)
    click.echo(f"The checkpoint of {made.size} entries is signed by both keys. The public keys are now:")
    for known in desk().seals.keys.known():
        click.echo(known.text())


@contextmanager
def sealed() -> Iterator[None]:
    """Say why nothing can be sealed."""
    try:
        yield
    except (Broken, Unsound) as error:
        raise click.ClickException(f"Nothing more is signed: {error}. See docs/how-to/audit.md.") from None
    except OSError as error:
        raise click.ClickException(f"The sealing key cannot be used ({error.strerror}).") from None


def checkpoint_text(given: str) -> str:
    """What was given as a checkpoint: the text of a file, if there is one, or itself."""
    path = Path(given)
    try:
        return path.read_text(errors="replace") if len(given) < 1_000 and path.is_file() else given
    except OSError as error:
        raise click.ClickException(f"{given} cannot be read ({error.strerror}).") from None


def _told(found: Findings) -> Iterator[str]:
    yield f"Log {found.origin}: {found.size} entries sealed, {found.unsealed} not yet."
    yield (
        f"Held against their entries: {found.predictions} predictions ({found.erased} of them erased), "
        f"{found.events} events."
    )
    yield f"Checkpoints that agree with the tree: {found.checkpoints}, signed by {', '.join(found.keys) or 'nobody'}."
    for begun in found.begun[1:]:
        yield f"Key {begun.key} begins with the checkpoint of {begun.size} entries, " + (
            "which a key before it has signed too."
            if begun.vouched
            else "and no key before it has signed that one: ask who made it; a restore would be on the record."
        )
    for altered in found.altered[:SHOWN]:
        place = "" if altered.index is None else f"entry {altered.index + 1} "
        yield f"ALTERED: {place}{altered.id}: {altered.what}"
    if found.n_altered > SHOWN:
        yield f"ALTERED: and {found.n_altered - SHOWN} more"
    for held in found.outside:
        yield f"Checkpoint of {held.size} entries from outside: " + (
            "agrees" if held.holds else f"DOES NOT AGREE: {held.what}"
        )
    if found.size > WORTH_TIMING:
        yield (
            f"{found.rate:,.0f} entries a second; hashing alone does {found.bare_rate:,.0f} "
            f"({found.rate / found.bare_rate if found.bare_rate else 0:.2f} of it)."
        )
    if found.undecided:
        yield "NOT DECIDED: nothing is found altered, but a checkpoint does not agree, for the reason above."
    elif not found.n_altered and not found.sound:
        yield "ALTERED: these are not the entries that the checkpoint was taken of."
    elif not found.sound:
        yield "Something is altered. What to do: docs/how-to/audit.md."
    elif found.anchored:
        yield (
            f"Nothing is altered. The first {found.anchored} entries are as the checkpoint from outside has them. "
            f"Unanchored after them: {found.unanchored}."
        )
    else:
        yield (
            f"Nothing is found altered, but {found.unanchored} entries are unanchored: whoever holds the sealing key "
            "could have written them anew. Give a checkpoint that was kept elsewhere with --checkpoint."
        )
