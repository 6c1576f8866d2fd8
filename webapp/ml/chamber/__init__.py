"""A model from outside is inspected in a process of its own, which can reach nothing and is ended when it is time."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

from webapp.errors import BadArtifact, NotReady
from webapp.ml.chamber import parcel
from webapp.ml.chamber.files import CODE
from webapp.ml.intake import STAGES, Order
from webapp.ml.packaging import Package
from webapp.ml.reports import sentence, spoken, tidy
from webapp.wording import said

#: Seconds between looks whether to go on, and that the imports may take.
LOOK, START = 0.1, 180.0
COMMAND: Final = (sys.executable, "-m", "webapp.ml.chamber")
#: Bytes of stage words that are read at once.
_WORDS = 4096
#: One thread each: the process may be given one processor only, and reserves memory for every other.
ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JOBLIB_MULTIPROCESSING": "0",
    "ORT_DISABLE_TELEMETRY": "1",
}


class Limits(NamedTuple):
    """Of one inspection: memory beyond that of the libraries in bytes, and seconds once they are there."""

    memory: int = 2 * 2**30
    seconds: int = 300


USUAL: Final = Limits()


class Given(NamedTuple):
    """The files handed in; `test` may be missing."""

    model: Path
    train: Path
    test: Path | None = None


class Inspected(NamedTuple):
    """A version ready to be stored, and what was found on the way."""

    package: Package
    report: dict[str, Any]


class Refused(BadArtifact):
    """An inspection that ended without a version; `report` is what was found until then."""

    def __init__(self, detail: str, report: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.report = report or {}


def inspect(
    order: Order,
    given: Given,
    source: str,
    limits: Limits,
    *,
    folder: Path | None = None,
    go_on: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _stage: None,
) -> Inspected:
    """Inspect a model whose file has the SHA-256 `source`; raises Refused, NotReady, and whatever `go_on` raises.

    `go_on` is asked ten times a second whether to, `tell` hears of every stage (see `intake.STAGES`). What comes back
    is kept in `folder`, without a name, until it has been read.
    """
    with ExitStack() as opened:
        out = opened.enter_context(tempfile.TemporaryFile(dir=folder))
        files = [opened.enter_context(path.open("rb")) if path else None for path in given]
        process = _start(order, limits, [*files, out])
        try:
            code = _follow(process, limits, go_on, tell)
        finally:
            process.kill()
            process.wait()
        return received(out, code, order, source, limits)


def _start(order: Order, limits: Limits, files: list[IO[bytes] | None]) -> subprocess.Popen[bytes]:
    handles = [-1 if file is None else file.fileno() for file in files]
    process = subprocess.Popen(  # noqa: S603 - our own command
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what libraries warn of; our own words come in the parcel
        pass_fds=[handle for handle in handles if handle >= 0],
        cwd=CODE.parent,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    told = {"order": asdict(order), "parent": os.getpid(), "files": [*handles, 1], **limits._asdict()}
    try:
        with cast(IO[bytes], process.stdin) as sent:
            sent.write(json.dumps(told).encode())
    except BrokenPipeError:  # it has ended already, and is asked why
        pass
    return process


def _follow(
    process: subprocess.Popen[bytes],
    limits: Limits,
    go_on: Callable[[], None],
    tell: Callable[[str], None],
) -> int | None:
    """Wait for the process to end; its status, or None where its time is over."""
    until, begun = time.monotonic() + START, False
    with cast(IO[bytes], process.stdout) as words, selectors.DefaultSelector() as waiting:
        waiting.register(words, selectors.EVENT_READ)
        while time.monotonic() < until:
            go_on()
            if not waiting.select(LOOK):
                continue
            said_now = os.read(words.fileno(), _WORDS)
            if not said_now:
                break
            if not begun:
                until, begun = time.monotonic() + limits.seconds, True
            for stage in said_now.decode(errors="replace").splitlines():
                if stage in STAGES:
                    tell(stage)
        else:
            return None
    try:
        return process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:  # it has closed its pipe and goes on
        return None


def received(out: IO[bytes], code: int | None, order: Order, source: str, limits: Limits) -> Inspected:
    """What a process that ended with `code`, or None where its time was over, has left; raises as `inspect`."""
    if code is None or code in (-signal.SIGXCPU, -signal.SIGALRM):
        raise Refused(_too_slow(limits))
    if code:
        raise Refused(_crashed(code, limits))
    try:
        header, files = parcel.read(out)
        report = tidy(header.get("report"))
        if "error" in header:
            raise _refusal(header["error"], report, limits)
        return Inspected(parcel.unpack(header, files, format=order.format, source=source), report)
    except parcel.Garbage as error:
        raise Refused(
            said("The model kept its inspection from telling what it found; export it again.")
        ) from error


def _refusal(error: Any, report: dict[str, Any], limits: Limits) -> Exception:
    detail = spoken(sentence(error.get("detail"))) if isinstance(error, dict) else ""
    if not detail:
        return parcel.Garbage()
    kind = error.get("kind")
    if kind == "memory":
        return Refused(_too_large(limits), report)
    if kind == "refused":
        return Refused(detail, report)
    if kind == "disk":
        return NotReady(
            said("The disk of this server takes no more; tell the operator, and try again later."), 60
        )
    return Refused(
        said("The model cannot be inspected ({name}); export it again, or as ONNX.", name=detail[:60]), report
    )


def _too_large(limits: Limits) -> str:
    return said(
        "Inspecting the model needs more than {most} MB of memory; give a smaller model or sample, or ask the "
        "operator to raise PUBLISH_MEMORY_MB.",
        most=limits.memory >> 20,
    )


def _too_slow(limits: Limits) -> str:
    return said(
        "Inspecting the model takes longer than {most} seconds; give a faster model or a smaller sample, or ask the "
        "operator to raise PUBLISH_SECONDS.",
        most=limits.seconds,
    )


def _crashed(code: int, limits: Limits) -> str:
    if code == -signal.SIGKILL:
        return said(
            "The system ended the inspection of the model, which it does where memory runs out; give a smaller model "
            "or sample, or ask the operator to lower PUBLISH_MEMORY_MB below {most}.",
            most=limits.memory >> 20,
        )
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"status {code}"
    return said(
        "The model crashes the process that inspects it ({name}); export it again with the newest version of its "
        "library, or as ONNX. It may also need more than {most} MB of memory.",
        name=name,
        most=limits.memory >> 20,
    )
