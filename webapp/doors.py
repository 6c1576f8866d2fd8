"""What the HTTP faces share: the frame of a request, reading bodies, and how errors become answers."""

from __future__ import annotations

import io
import json
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson
from flask import Request, Response, current_app, g, request
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.sansio.utils import host_is_trusted

from webapp import errors
from webapp.errors import AppError, InvalidInput, Malformed, Problem, TooLarge
from webapp.headers import Data
from webapp.services import jobs
from webapp.services.desk import Desk
from webapp.wording import said


class Status(NamedTuple):
    """How an error is told over HTTP: status code, the last part of its type URI, its constant title."""

    code: int
    slug: str
    title: str


STATUS: dict[type[AppError], Status] = {
    errors.Malformed: Status(400, "malformed", said("The request cannot be read")),
    errors.NotSignedIn: Status(401, "not-signed-in", said("Sign-in needed")),
    errors.CodeNeeded: Status(401, "code-needed", said("A code is needed")),
    errors.NotAllowed: Status(403, "not-allowed", said("Not allowed")),
    errors.NotFound: Status(404, "not-found", said("Not found")),
    errors.Conflict: Status(409, "conflict", said("In conflict with the present state")),
    errors.Outdated: Status(412, "outdated", said("Changed in the meantime")),
    errors.TooLarge: Status(413, "too-large", said("Too large")),
    errors.UnsupportedMedia: Status(415, "unsupported-media", said("Media type not supported")),
    errors.InvalidInput: Status(422, "invalid-input", said("Some values cannot be used")),
    errors.BadArtifact: Status(422, "bad-artifact", said("The model file cannot be used")),
    errors.ModelFailed: Status(422, "model-failed", said("The model has no answer to these values")),
    errors.PreconditionNeeded: Status(428, "precondition-needed", said("A condition is needed")),
    errors.TooMany: Status(429, "too-many", said("Too many requests")),
    errors.NotReady: Status(503, "not-ready", said("Not ready")),
}
DEEPEST = 16
#: Of a body that anybody may send.
MOST_FROM_ANYBODY = 64 * 1024
#: Of a multipart body, besides its file; and seconds that the whole of it may take to arrive.
OVERHEAD, UPLOAD_SECONDS = 64 * 1024, 3600
#: Bytes of an upload that may be in memory only.
SETTLED = 16 * 2**20
REMEMBERED_HOSTS = 100
UNEXPECTED = Status(500, "unexpected", said("Something went wrong here"))
METHOD = Status(405, "method-not-allowed", said("Method not allowed"))
BY_CODE = {s.code: s for s in STATUS.values()} | {405: METHOD, 500: UNEXPECTED, 422: STATUS[InvalidInput]}


def desk() -> Desk:
    """The desk of this process."""
    return cast(Desk, current_app.extensions["desk"])


def here() -> tuple[Request, Any]:
    """The request of now and its `g`, themselves: every look through Flask's proxies costs ten at a plain object."""
    return cast(Any, request)._get_current_object(), cast(Any, g)._get_current_object()


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


class Door:
    """Where every request comes in: it gets its id and time, and must name this server as its host."""

    def __init__(self, hosts: list[str]) -> None:
        self._hosts = hosts
        self._good: set[str] = set()

    def open(self) -> None:
        """Open the frame of a request; raises BadRequest when a page elsewhere points a name of its own at us."""
        asked, frame = here()
        frame.started_ns = time.time_ns()
        frame.clock = time.perf_counter_ns()
        frame.request_id = os.urandom(12).hex()
        if not self.knows(asked.environ.get("HTTP_HOST", "")):
            raise BadRequest

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server."""
        if host in self._good:
            return True
        if not host_is_trusted(host, self._hosts):
            return False
        if len(self._good) < REMEMBERED_HOSTS:
            self._good.add(host)
        return True


def status_of(error: Exception) -> Status:
    """The status an error is told with."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    if isinstance(error, HTTPException) and error.code:
        return BY_CODE.get(error.code) or Status(error.code, "about:blank", error.name)
    return UNEXPECTED


class Told(NamedTuple):
    """An error as a face shows it: what, why and what to do, and headers that go with it."""

    status: Status
    detail: str
    problems: list[Problem]
    headers: dict[str, str]


def tell(error: Exception) -> Told:
    """Put an error into words that are safe to show; anything unexpected says nothing but the request id."""
    status = status_of(error)
    headers: dict[str, str] = {}
    problems: list[Problem] = error.problems if isinstance(error, InvalidInput) else []
    if isinstance(error, AppError):
        detail = error.detail
        if isinstance(error, Malformed | TooLarge | errors.ModelFailed):
            problems = [Problem("#", detail)]
        if isinstance(error, errors.TooMany | errors.NotReady):
            headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, HTTPException):
        detail = _FIXED.get(status.code, status.title + ".")
        if allowed := getattr(error, "valid_methods", None):
            headers["Allow"] = ", ".join(sorted(allowed))
    else:
        detail = said(
            "The error is in our log under the request id. Look in the history before you send it again."
        )
    if status.code == 401:
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return Told(status, detail, problems, headers)


_FIXED = {
    400: said("The request cannot be understood; check its address, headers and body."),
    404: said("There is nothing at this address."),
    405: said("This address does not take that method; see the Allow header."),
    413: said("The body is larger than this server takes; send less at once."),
}


def json_body(most: int | None = None) -> dict[str, Any]:
    """The request's body, a JSON object without duplicate names, of at most so many bytes if that is given.

    Raises UnsupportedMedia, TooLarge, Malformed or InvalidInput (pointer `#` when it is not an object).
    """
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    data = _body(limit if most is None else min(most, limit))
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed(
            said(
                "The body is not JSON: {fault} (line {line}, column {column}).",
                fault=error.msg,
                line=error.lineno,
                column=error.colno,
            )
        ) from None
    # Each member has one colon outside strings, so as many members as colons means that none was lost.
    if _members(body) != data.count(b":"):
        _refuse_duplicates(data)
    if not isinstance(body, dict):
        raise InvalidInput([Problem("#", said("must be a JSON object"))])
    return body


def _body(limit: int) -> bytes:
    asked, _ = here()
    environ = asked.environ
    data: bytes
    if environ.get("CONTENT_TYPE") != "application/json" and asked.mimetype != "application/json":
        raise errors.UnsupportedMedia(
            said("Send the body as JSON, with the header Content-Type: application/json.")
        )
    length = environ.get("CONTENT_LENGTH", "")
    if not length:  # in chunks; Werkzeug stops at the limit, and says so only to who reads on
        asked.max_content_length = limit
        data = asked.get_data()
        if len(data) >= limit:
            raise _too_large(limit)
        return data
    if not (length.isascii() and length.isdigit()):
        raise Malformed(said("The header Content-Length must be a number."))
    if int(length) > limit:
        raise _too_large(limit)
    try:
        data = environ["wsgi.input"].read(int(length))
    except OSError:  # too slow, or gone
        data = b""
    if len(data) != int(length):
        raise Malformed(
            said("The body ended, or its time did, before the length in its header; send it again.")
        )
    return data


def _too_large(limit: int) -> TooLarge:
    return TooLarge(said("The body may have {most} bytes; send less at once.", most=limit))


def _members(body: Any) -> int:
    """How many members all objects of a body have; raises Malformed when it is nested beyond reason."""
    found, level = 0, [body]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            if type(value) is dict:
                found += len(value)
                value = value.values()
            elif type(value) is not list:
                continue
            inner += [v for v in value if type(v) is dict or type(v) is list]
        if not inner:
            return found
        level = inner
    raise Malformed(said("The body is nested more than {most} levels deep; rows are flat.", most=DEEPEST))


def _refuse_duplicates(data: bytes) -> None:
    def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for name, value in pairs:
            if name in seen:
                told = said("the name {name} stands twice in one object; send it once", name=repr(name[:60]))
                raise InvalidInput([Problem("#", told)])
            seen[name] = value
        return seen

    try:
        json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Malformed(said("The body is not JSON that this server can read.")) from None


def json_bytes(value: Any) -> bytes:
    """JSON; floats as they are, never NaN; times in UTC."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer, as `json_bytes` writes it."""
    return Data(json_bytes(value), status)


def problem_response(error: Exception) -> Response:
    """An error as RFC 9457 `application/problem+json`."""
    told = tell(error)
    slug = told.status.slug
    body: dict[str, Any] = {
        "type": slug if slug == "about:blank" else f"/api/v1/docs/errors#{slug}",
        "title": told.status.title,
        "status": told.status.code,
        "detail": told.detail,
        "instance": f"urn:parecer:request:{g.get('request_id', '')}",
    }
    if told.problems:
        body["errors"] = [{"pointer": p.pointer, "detail": p.detail} for p in told.problems]
    response = Response(orjson.dumps(body), told.status.code, mimetype="application/problem+json")
    response.headers.extend(told.headers)
    return response
