"""The moment of a restore: what is there goes aside, what was made ready takes its place.

A file `restoring` in the data folder says what is to be moved where, before the first move and until after the last,
so that one that is cut short is finished, or undone, by whoever comes next; meanwhile nobody serves.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from webapp.services.backups import postgres
from webapp.services.backups.place import Installation, make_folder, sync_folder, write
from webapp.services.backups.serving import MARKER

ASIDE, STAGING = "before-restore-", ".restoring-"
FINISHED = "A restore that had been cut short was finished: the backup is in place."
UNDONE = "A restore that had been cut short was undone: everything is as it was before."


@dataclass(slots=True)
class Plan:
    """What is moved, in this order, and the PostgreSQL schema that holds the present tables meanwhile.

    Until it is `decided`, it is undone; then, finished.
    """

    stamp: str
    decided: bool = False
    schema: str = ""
    moves: list[tuple[str, str]] = field(default_factory=list)
    #: Folders to be removed at the end.
    staging: list[str] = field(default_factory=list)

    def staged(self, place: Installation, target: Path) -> Path:
        """Where something is made ready for its place; on the same file system."""
        root = _root(place, target)
        folder = root / f"{STAGING}{self.stamp}"
        if str(folder) not in self.staging:
            self.staging.append(str(folder))
        return folder / _inside(root, target)

    def aside(self, place: Installation, target: Path) -> Path:
        """Where what is there now goes."""
        root = _root(place, target)
        return root / f"{ASIDE}{self.stamp}" / _inside(root, target)

    def put(self, place: Installation, target: Path, *, away: bool = False) -> None:
        """Move what is there aside, and unless `away` what was staged into its place."""
        if target.exists() or target.is_symlink():
            self.moves.append((str(target), str(self.aside(place, target))))
        if not away:
            self.moves.append((str(self.staged(place, target)), str(target)))

    def remember(self, place: Installation) -> None:
        """Write it down, on disk when this returns."""
        marker, new = place.data_dir / MARKER, place.data_dir / f".{MARKER}"
        new.unlink(missing_ok=True)
        write(new, json.dumps(asdict(self), indent=1).encode())
        new.replace(marker)
        sync_folder(place.data_dir)

    def finish(self, place: Installation) -> None:
        """Do all that is left of it; harmless to repeat."""
        if self.schema:
            postgres.let_go(place.url, self.schema)
        for source, target in ((Path(a), Path(b)) for a, b in self.moves):
            # There already: this move was made before, and what has the old name now is what came in its place.
            if os.path.lexists(source) and not os.path.lexists(target):
                make_folder(target.parent)
                source.rename(target)
                for folder in {source.parent, target.parent}:
                    sync_folder(folder)
        self.forget(place)

    def undo(self, place: Installation) -> None:
        """Let everything be as it was before."""
        if self.schema:
            postgres.put_back(place.url, self.schema)
        self.forget(place)

    def forget(self, place: Installation) -> None:
        """Remove what was staged, and the note of it."""
        for folder in self.staging:
            shutil.rmtree(folder, ignore_errors=True)
        (place.data_dir / MARKER).unlink(missing_ok=True)
        sync_folder(place.data_dir)


def settle(place: Installation) -> str:
    """Finish or undo a restore that was cut short; says which, or nothing. Call it while alone."""
    marker = place.data_dir / MARKER
    if not marker.exists():
        for folder in _left(place):
            shutil.rmtree(folder, ignore_errors=True)
        return ""
    plan = Plan(**json.loads(marker.read_text()))
    if plan.schema:
        postgres.refuse_others(place.url)
    if plan.decided:
        plan.finish(place)
        return FINISHED
    plan.undo(place)
    return UNDONE


def _left(place: Installation) -> Iterable[Path]:
    """What a killed restore had made ready, before it moved anything."""
    roots = {place.data_dir, place.store}
    if place.kind == "sqlite":
        roots.add(place.file.parent)
    return [folder for root in roots if root.is_dir() for folder in root.glob(f"{STAGING}*")]


def _root(place: Installation, target: Path) -> Path:
    there = next(folder for folder in target.parents if folder.exists())
    if there.stat().st_dev == place.data_dir.stat().st_dev:
        return place.data_dir
    for root in (place.store, place.file.parent if place.kind == "sqlite" else place.store):
        if root.exists() and target.is_relative_to(root):
            return root
    return there


def _inside(root: Path, target: Path) -> Path:
    if target.is_relative_to(root):
        return target.relative_to(root)
    return Path(*target.parts[-3:])  # of a store or a database that is elsewhere: model, version
