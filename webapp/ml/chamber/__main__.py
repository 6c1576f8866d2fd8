"""The process that inspects one model: started with its order on standard input, and the files as open handles."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import IO, Any, NamedTuple

from webapp.errors import AppError
from webapp.ml.chamber import parcel
from webapp.ml.chamber.cage import Cage, die_with
from webapp.ml.intake import Order, prepare
from webapp.ml.reports import to_keep

#: Beyond that of the worker for batches: whoever waits for an answer comes first.
NICENESS = 10
OUT_OF_MEMORY = ("bad_alloc", "Failed to allocate memory", "Unable to allocate")


class Files(NamedTuple):
    """Handles that came with the order; `test` is -1 where there is none."""

    model: int
    train: int
    test: int
    parcel: int
    stages: int


def main() -> None:
    told = json.load(sys.stdin)
    die_with(told["parent"])
    os.nice(NICENESS)
    inspect(told, Files(*told["files"]))


def inspect(told: dict[str, Any], files: Files) -> None:
    """Shut this process in, do what the order says, and write the parcel."""
    cage = Cage()
    granted: dict[str, Any] = {"landlock": cage.shut_files()}
    warm()
    with os.fdopen(files.parcel, "wb") as out, os.fdopen(files.stages, "w", buffering=1) as stages:
        model, train, test = (_read(handle) for handle in files[:3])
        granted["seccomp"] = cage.shut_rest(
            memory=told["memory"], seconds=told["seconds"], written=parcel.MAX_PARCEL
        )
        _work(Order(**told["order"]), (model or b"", train or b"", test), out, stages, granted)


def _work(
    order: Order,
    given: tuple[bytes, bytes, bytes | None],
    out: IO[bytes],
    stages: IO[str],
    granted: dict[str, Any],
) -> None:
    report: dict[str, Any] = {"sandbox": granted}
    try:
        made = prepare(order, *given, report=report, tell=lambda stage: print(stage, file=stages))
        parcel.write(out, {"manifest": made.manifest, "report": report}, made.files)
    except Exception as error:  # noqa: BLE001 - the edge of the process: a model may raise anything
        kind = _kind(error)
        detail = error.detail if isinstance(error, AppError) else type(error).__name__
        out.seek(0)
        out.truncate()
        parcel.write(out, {"error": {"kind": kind, "detail": to_keep(detail)}, "report": report}, {})


def _kind(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    if _out_of_memory(error):
        return "memory"
    return "refused" if isinstance(error, AppError) else "failed"


def _out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def _read(handle: int) -> bytes | None:
    if handle < 0:
        return None
    with os.fdopen(handle, "rb") as file:
        return file.read()


def warm() -> None:
    """Import what is of weight while files can be opened and processors counted."""
    import onnx  # noqa: F401 - heavy; after this nothing needs what the filter refuses
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import skl2onnx  # noqa: F401
    import sklearn.ensemble
    import sklearn.metrics  # noqa: F401
    import skops.io  # noqa: F401


if __name__ == "__main__":
    main()
