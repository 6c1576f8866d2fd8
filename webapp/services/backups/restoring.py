"""Putting a backup back: everything is verified and made ready first, and only then takes its place."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from webapp.errors import NotReady
from webapp.services import sealing
from webapp.services.backups import manifest as manifests
from webapp.services.backups import postgres, sqlite
from webapp.services.backups.going_on import Gone, go_on
from webapp.services.backups.making import refuse_altered
from webapp.services.backups.manifest import SEALING, Manifest
from webapp.services.backups.place import Installation, Tell, Unusable, copy, hashed, sync_folder, write
from webapp.services.backups.placing import Plan
from webapp.services.backups.stock import PRIVATE
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Key
from webapp.services.verifying import claims, verify_in
from webapp.services.verifying.claims import Claim

Migrate = Callable[[Engine], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backup whose files are as they were made, and the folder it is in."""

    folder: Path
    manifest: Manifest
    outside: Sequence[Claim]

    @property
    def root(self) -> bytes:
        """Of its checkpoint; empty where it has none."""
        note = self.manifest.checkpoint
        return bytes.fromhex(claims.read(note).digits) if note else b""


@dataclass(frozen=True, slots=True)
class Restored:
    """What has become of it: how the log goes on, and where what was there is now."""

    gone: Gone
    aside: list[Path]


def examine(
    place: Installation,
    keys: Keyring,
    folder: Path,
    outside: Sequence[Claim],
    revisions: Collection[str],
    tell: Tell,
) -> Candidate:
    """Look at a backup without touching anything; raises Unusable, NotReady, OSError."""
    if not folder.is_dir():
        raise Unusable(f"There is no folder {folder}.")
    found, by = manifests.read(folder)
    if found.database != place.kind:
        raise Unusable(
            f"This backup is of a {found.database} database, and DATABASE_URL points to {place.kind}: set it as it "
            "was where the backup was made."
        )
    if found.revision not in revisions:
        raise Unusable(
            f"This backup was made by a newer version ({found.software}, tables {found.revision}); install that "
            "version, or a newer one, and restore with it."
        )
    _known(keys, found, by, outside)
    if found.database == "postgresql":
        postgres.tool("pg_restore")
    manifests.check_names(folder, found)
    manifests.check_files(folder, found, tell)
    return Candidate(folder, found, outside)


def _known(keys: Keyring, found: Manifest, by: Sequence[Key], outside: Sequence[Claim]) -> None:
    """Raises Unusable for what another key has signed than those that this installation knows of that log."""
    name = sealing.key_name(found.origin)
    here = {key.id for key in keys.known() if key.name == name}
    if here and here.isdisjoint(key.id for key in by) and not any(c.size >= found.size for c in outside):
        raise Unusable(
            f"This backup of the log {name} is signed by key {by[0].id.hex()}, which is none of the keys that this "
            "installation knows of that log. If it is yours all the same, give a checkpoint of it that was kept "
            "elsewhere with --checkpoint."
        )


def restore(
    place: Installation, keys: Keyring, candidate: Candidate, present: str, migrate: Migrate, tell: Tell
) -> Restored:
    """Put the backup in place; call it while alone. `present` is the origin of the log that is there, if any.

    Raises Unusable, NotReady, Conflict, OSError: then everything is as it was.
    """
    if place.kind == "postgresql":
        postgres.refuse_others(place.url)
    _room(place, candidate.manifest)
    plan = Plan(_stamp())
    while any(aside.exists() for aside in _asides(place, plan)):  # of a restore in this very second
        time.sleep(0.1)
        plan = Plan(_stamp())
    try:
        with _staged(place, candidate, plan, tell) as engine:
            migrate(engine)
            _verify(engine, candidate, tell)
            gone = go_on(engine, keys, candidate.manifest, present)
        _stage_files(place, candidate, plan, gone)
        for folder in plan.staging:
            for at, _, _ in os.walk(folder):
                sync_folder(Path(at))
        plan.decided = True
        plan.remember(place)
    except BaseException:
        plan.undo(place)
        for aside in _asides(place, plan):
            shutil.rmtree(aside, ignore_errors=True)
        raise
    plan.finish(place)
    return Restored(gone, [aside for aside in _asides(place, plan) if aside.exists()])


def _room(place: Installation, manifest: Manifest) -> None:
    free = shutil.disk_usage(place.data_dir).free
    if free < manifest.n_bytes:
        raise NotReady(
            f"{place.data_dir} has room for {free >> 20} MB, and the backup needs {(manifest.n_bytes >> 20) + 1} MB "
            "beside what is there; make room, and restore again."
        )


@contextmanager
def _staged(place: Installation, candidate: Candidate, plan: Plan, tell: Tell) -> Iterator[Engine]:
    """An engine on the database of the backup, which is not in use yet."""
    if place.kind == "sqlite":
        target = plan.staged(place, place.file)
        done = 0

        def moved(n: int) -> None:
            nonlocal done
            done += n
            tell("Copying", done, candidate.manifest.files[candidate.manifest.data][0])

        _copied(candidate, candidate.manifest.data, target, moved)
        sqlite.check(target, "quick_check")  # to the byte what passed the whole of it when it was made
        with sqlite.opened(target) as engine:
            yield engine
        for end in ("-wal", "-shm", "-journal"):
            if (log := place.file.with_name(place.file.name + end)).exists():
                plan.put(place, log, away=True)
        plan.put(place, place.file)
        return
    staged = plan.staged(place, place.data_dir / "database.dump")
    _copied(candidate, candidate.manifest.data, staged)
    postgres.check(staged)
    _keep_present(place, plan, tell)
    plan.schema = f"before_restore_{plan.stamp}".lower()
    plan.remember(place)
    tell("Loading", 0, 1)
    postgres.put_aside(place.url, plan.schema)
    postgres.load(place.url, staged)
    tell("Loading", 1, 1)
    engine = postgres.engine_of(place.url)
    try:
        yield engine
    finally:
        engine.dispose()


def _keep_present(place: Installation, plan: Plan, tell: Tell) -> None:
    """Dump what is in the database now, if anything is."""
    with postgres.engine_of(place.url).connect() as connection:
        tables = postgres.ours(connection)
    if tables:
        tell("Saving what is there", 0, 1)
        target = plan.aside(place, place.data_dir / "database.dump")
        target.parent.mkdir(mode=0o700, parents=True)
        postgres.dump(place.url, target, tables)
        postgres.check(target)
        tell("Saving what is there", 1, 1)


def _verify(engine: Engine, candidate: Candidate, tell: Tell) -> None:
    own = [claims.read(candidate.manifest.checkpoint)] if candidate.manifest.checkpoint else []
    keys = Keyring(candidate.folder / SEALING)
    told = "Verifying"
    found = verify_in(engine, keys, [*own, *candidate.outside], lambda done, of: tell(told, done, of))
    refuse_altered(found, "This backup does not verify, so nothing was replaced")


def _stage_files(place: Installation, candidate: Candidate, plan: Plan, gone: Gone) -> None:
    """Make everything ready that is not in the database."""
    names = candidate.manifest.files
    for version in sorted({name.rsplit("/", 1)[0] for name in names if name.startswith("model_store/")}):
        target = place.store / version.removeprefix("model_store/")
        inside = [name for name in names if name.startswith(f"{version}/")]
        if not all(_same(target / name.rsplit("/", 1)[1], names[name]) for name in inside):
            _stage(place, candidate, plan, inside, target, version)
    for job in sorted({"/".join(name.split("/")[:2]) for name in names if name.startswith("jobs/")}):
        target = place.data_dir / job
        if not target.exists():
            _stage(place, candidate, plan, [n for n in names if n.startswith(f"{job}/")], target, job)
    secret = [f"keys/{n}" for n in ("secret_key", "jwt_secret_key", *(f"sealing/{p}" for p in PRIVATE))]
    public = [name for name in names if name.startswith(f"{SEALING}/") and name.endswith(".vkey")]
    for name in (*secret, *public):
        target = place.data_dir / name
        if name in names and not _same(target, names[name]):
            _stage(place, candidate, plan, [name], target, name)
    if gone.parted and (newest := place.data_dir / SEALING / "newest").exists():
        plan.put(place, newest, away=True)
    _stage_journal(place, candidate, plan)


def _stage(
    place: Installation, candidate: Candidate, plan: Plan, names: Sequence[str], target: Path, top: str
) -> None:
    staged = plan.staged(place, target)
    for name in names:
        inside = name.removeprefix(top).removeprefix("/")
        _copied(candidate, name, staged / inside if inside else staged)
    plan.put(place, target)


def _stage_journal(place: Installation, candidate: Candidate, plan: Plan) -> None:
    """What was erased is what either journal says. The backup's comes first: its database knows places in it."""
    name = place.journal.name
    if name not in candidate.manifest.files:
        return
    theirs = (candidate.folder / name).read_bytes()
    theirs = theirs[: theirs.rfind(b"\n") + 1]  # one more line may have been on its way
    known = set(theirs.splitlines())
    ours = place.journal.read_bytes() if place.journal.exists() else b""
    more = b"".join(line + b"\n" for line in ours.splitlines() if line not in known)
    write(plan.staged(place, place.journal), theirs + more)
    plan.put(place, place.journal)


def _copied(
    candidate: Candidate, name: str, target: Path, moved: Callable[[int], None] = lambda n: None
) -> None:
    """Copy a file out of the backup, holding it against its hash once more: it may have changed since."""
    there = copy(candidate.folder / name, target, moved, gently=False)
    manifests.check_same(name, there, candidate.manifest.files[name])


def _same(path: Path, expected: tuple[int, str]) -> bool:
    try:
        return hashed(path) == tuple(expected)
    except OSError:
        return False


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def _asides(place: Installation, plan: Plan) -> list[Path]:
    roots = {place.data_dir, place.store, *([place.file.parent] if place.kind == "sqlite" else [])}
    return sorted(root / f"before-restore-{plan.stamp}" for root in roots)
