"""Uploads: files of a request that go to where they are kept as they arrive."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

from flask import Request, current_app, g, request

from webapp.doors.frame import desk, here
from webapp.errors import InvalidInput, Problem
from webapp.services import jobs
from webapp.wording import said

#: Of a multipart body, besides its file; and seconds that the whole of it may take to arrive.
OVERHEAD, UPLOAD_SECONDS = 64 * 1024, 3600
#: Bytes of an upload that may be in memory only.
SETTLED = 16 * 2**20


class Settling(io.FileIO):
    """A file that is brought to disk as it grows: all at once at its end, every other write would wait for it."""

    _loose = 0

    def write(self, data: Any) -> int:
        """All of it; others run while the disk is waited for. Raises NotReady where it takes no more."""
        left = memoryview(data)
        try:
            while left:  # a disk that is nearly full takes a part, and says so to nobody but who looks
                left = left[super().write(left) :]
            self._loose += len(data)
            if self._loose > SETTLED:
                self._loose = 0
                desk().offload(os.fdatasync, self.fileno())
        except OSError as error:
            raise jobs.not_kept() from error
        return len(data)


class Asked(Request):
    """A request; the files of an upload go straight to where batches are kept, never into memory or /tmp."""

    #: How many files the endpoint takes.
    uploads = 0

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        kept = g.setdefault("spooled", [])
        if len(kept) >= self.uploads:  # one file more than asked for
            return super()._get_file_stream(total_content_length, content_type, filename, content_length)
        folder = desk().workshop.incoming
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, path = tempfile.mkstemp(dir=folder)
        except OSError as error:
            raise jobs.not_kept() from error
        stream = cast(IO[bytes], Settling(handle, "w+"))
        kept.append((Path(path), stream))
        return stream


def expect_upload(files: int = 1) -> None:
    """Let so many files through where this request's body is about to be read; raises TooLarge."""
    asked = cast(Asked, here()[0])
    most: int = current_app.config["MAX_UPLOAD_BYTES"] + OVERHEAD
    asked.uploads, asked.max_content_length = files, most
    # Our own web worker has clocks for a body, and for who sends on after the answer.
    unreader = getattr(getattr(asked.environ["wsgi.input"], "reader", None), "unreader", None)
    if unreader is not None and hasattr(unreader, "be_patient"):
        unreader.be_patient(UPLOAD_SECONDS)
    if (asked.content_length or 0) > most:
        raise jobs.too_large(desk())


def spooled() -> tuple[Path, str] | None:
    """The file of this upload and its name, if one was sent under the name `file`.

    Raises InvalidInput where another file came before it: that one was kept in its place.
    """
    return spooled_parts(("file",)).get("file")


def spooled_parts(names: Sequence[str]) -> dict[str, tuple[Path, str]]:
    """The files of this upload that were sent under these names, and what they are called.

    Raises InvalidInput where another file came before one of them: that one was kept in its place.
    """
    files = request.files  # which takes the body apart
    kept: list[tuple[Path, IO[bytes]]] = g.get("spooled", [])
    found = {}
    for name in names:
        sent = files.get(name)
        if sent is None or not sent.filename:
            continue
        paths = [path for path, stream in kept if stream is sent.stream]
        if not paths:
            listed = ", ".join(names)
            told = (
                said("send one file, in the field “file”")
                if len(names) == 1
                else said("send one file under each of these names, and no other: {names}", names=listed)
            )
            raise InvalidInput([Problem(f"#/{name}", told)])
        found[name] = paths[0], sent.filename
    return found


def forget_spooled(_error: BaseException | None = None) -> None:
    """Remove what was uploaded and became no job; registered as teardown_request."""
    for path, stream in g.pop("spooled", []):
        stream.close()
        path.unlink(missing_ok=True)
