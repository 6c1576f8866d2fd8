"""The model store on disk: `<root>/<model>/<version>/` with a manifest; published whole, never changed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from webapp.errors import BadArtifact, Conflict, NotFound, NotReady
from webapp.wording import said

MANIFEST: Final = "manifest.json"
MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_FILE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_HALF = ".half-"


def describe(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Name → {sha256, bytes}, as the manifest keeps it."""
    return {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
    }


class Store:
    """Versions on disk. Safe between processes: a version appears by one rename, or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @contextmanager
    def staging(
        self, model: str, files: Mapping[str, bytes], manifest: dict[str, Any]
    ) -> Iterator[Callable[[int], None]]:
        """Write a version where nobody sees it yet, durably; inside, call what is given with its number to publish it.

        One at a time for each model. On an error inside, what was published is taken back. Raises BadArtifact for bad
        names, NotReady where the disk takes no more, and Conflict, when called, for a number that is taken.
        """
        folder = self._place(model, 1).parent
        for name in files:
            if not _FILE.fullmatch(name) or name == MANIFEST:
                raise BadArtifact(said("“{name}” can not be the name of a model file.", name=name))
        document = json.dumps(
            manifest | {"files": describe(files)}, allow_nan=False, ensure_ascii=False, indent=1
        )
        with ExitStack() as stack:
            with self._telling():
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_alone(folder))
                _sweep(folder)
                half = Path(tempfile.mkdtemp(prefix=_HALF, dir=folder))
                stack.callback(shutil.rmtree, half, ignore_errors=True)
                for name, data in {**files, MANIFEST: document.encode()}.items():
                    _write(half / name, data)
                half.chmod(0o755)
                _sync(half)
            placed: list[Path] = []
            try:
                yield lambda number: placed.append(self._appear(half, folder / str(number)))
            except BaseException:
                for target in placed:
                    _take_back(target)
                raise

    def publish(self, model: str, version: int, files: Mapping[str, bytes], manifest: dict[str, Any]) -> None:
        """Write a version under a number; raises as `staging`."""
        self._place(model, version)
        with self.staging(model, files, manifest) as place:
            place(version)

    def _appear(self, half: Path, target: Path) -> Path:
        if target.exists():
            raise Conflict(
                said(
                    "Version {version} of {model} is already published.",
                    version=target.name,
                    model=target.parent.name,
                )
            )
        with self._telling():
            half.rename(target)
            _sync(target.parent)
            _sync(self.root)
        return target

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NotReady(
                said(
                    "Nothing was published, because {folder} cannot be written to ({error}); make room there, "
                    "or let this account write there, and publish again.",
                    folder=self.root,
                    error=error.strerror,
                )
            ) from error

    def manifest(self, model: str, version: int) -> dict[str, Any]:
        """Raises NotFound, or BadArtifact if it can not be read as JSON."""
        try:
            document = json.loads(self._bytes(model, version, MANIFEST))
        except (ValueError, RecursionError) as error:
            raise _damaged_manifest(model, version) from error
        if not isinstance(document, dict) or not isinstance(document.get("files"), dict):
            raise _damaged_manifest(model, version)
        return document

    def fingerprint(self, model: str, version: int) -> str:
        """SHA-256 (hex) of the manifest, which holds that of every other file; raises NotFound or BadArtifact."""
        return hashlib.sha256(self._bytes(model, version, MANIFEST)).hexdigest()

    def read(self, model: str, version: int, filename: str) -> bytes:
        """The bytes as published; raises NotFound for a file that never was, BadArtifact for one lost or changed."""
        entry = self.manifest(model, version)["files"].get(filename)
        if not isinstance(entry, dict):
            raise NotFound(
                said("{model} {version} has no file {file}.", model=model, version=version, file=filename)
            )
        try:
            data = self._bytes(model, version, filename)
        except NotFound as error:
            raise BadArtifact(
                said(
                    "{file} of {model} {version} is lost; restore it from a backup.",
                    file=filename,
                    model=model,
                    version=version,
                )
            ) from error
        if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
            raise BadArtifact(
                said(
                    "{file} of {model} {version} is damaged; restore it from a backup.",
                    file=filename,
                    model=model,
                    version=version,
                )
            )
        return data

    def damaged(self, model: str, version: int) -> str:
        """The first file that is not as the manifest says, or the manifest if it cannot be read; empty if all are.

        Each is looked through a piece at a time, however large.
        """
        folder = self._place(model, version)
        try:
            files = self.manifest(model, version)["files"]
        except (BadArtifact, NotFound):
            return MANIFEST
        for name, entry in files.items():
            try:
                with (folder / name).open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                return str(name)
            if not isinstance(entry, dict) or found != entry.get("sha256"):
                return str(name)
        return ""

    def whole(self, model: str, version: int) -> dict[str, bytes]:
        """Every file by its name, the manifest too; raises as `read`."""
        files = {name: self.read(model, version, name) for name in self.manifest(model, version)["files"]}
        return files | {MANIFEST: self._bytes(model, version, MANIFEST)}

    def versions(self, model: str) -> list[int]:
        """Ascending; empty for an unknown model."""
        return sorted(int(p.name) for p in self._numbered(model) if (p / MANIFEST).is_file())

    def last(self, model: str) -> int:
        """The highest number that is taken, by a damaged version too; 0 for an unknown model."""
        return max((int(p.name) for p in self._numbered(model)), default=0)

    def models(self) -> list[str]:
        """Names with at least one version."""
        found = self.root.iterdir() if self.root.is_dir() else ()
        return sorted(p.name for p in found if MODEL_NAME.fullmatch(p.name) and self.versions(p.name))

    def _numbered(self, model: str) -> list[Path]:
        folder = self._place(model, 1).parent
        found = folder.iterdir() if folder.is_dir() else ()
        return [p for p in found if p.name.isdecimal()]

    def _place(self, model: str, version: int) -> Path:
        if not MODEL_NAME.fullmatch(model):
            raise BadArtifact(said("Model names have 1 to 63 of a-z, 0-9 and -, and do not start with -."))
        if not 1 <= version < 10**9:
            raise BadArtifact(said("Versions are whole numbers from 1."))
        return self.root / model / str(version)

    def _bytes(self, model: str, version: int, filename: str) -> bytes:
        try:
            return (self._place(model, version) / filename).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(
                said(
                    "There is no {file} of {model} {version} in the model store.",
                    file=filename,
                    model=model,
                    version=version,
                )
            ) from error
        except OSError as error:
            raise BadArtifact(
                said(
                    "{file} of {model} {version} can not be read from the disk.",
                    file=filename,
                    model=model,
                    version=version,
                )
            ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer a model, over all processes; the kernel lets go when a writer is killed."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _damaged_manifest(model: str, version: int) -> BadArtifact:
    return BadArtifact(
        said(
            "The manifest of {model} {version} is damaged; restore it from a backup.",
            model=model,
            version=version,
        )
    )


def _take_back(target: Path) -> None:
    """Remove what was published; call it only while alone."""
    half = Path(tempfile.mkdtemp(prefix=_HALF, dir=target.parent))
    target.rename(half / target.name)  # gone at once for readers, even if the removal is cut short
    _sync(target.parent)
    _sweep(target.parent)


def _sweep(folder: Path) -> None:
    """Remove what a killed writer left; call it only while alone."""
    for path in folder.glob(_HALF + "*"):
        shutil.rmtree(path)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
