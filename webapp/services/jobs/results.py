"""The result of a batch: the columns of the file, then what was answered, as CSV safe for spreadsheets."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from webapp.ml.schema import ABSENT
from webapp.services.cells import SUSPECT, safe
from webapp.services.jobs.columns import Sorted, Wrong
from webapp.services.jobs.reading import Chunk
from webapp.services.predictions import Made, Refused

READ = 256 * 1024


class Part:
    """What one attempt has written of the result; a later attempt writes a file of its own."""

    def __init__(self, folder: Path, attempt: int) -> None:
        self._file = part_path(folder, attempt).open("wb")
        self.size = 0
        _sync_folder(folder)

    def write(self, data: bytes) -> None:
        """Append, and return once it is on disk."""
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.size += len(data)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def part_path(folder: Path, attempt: int) -> Path:
    """Where an attempt writes."""
    return folder / f"result-{attempt}.csv"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def head(names: Sequence[str], classes: Sequence[str]) -> bytes:
    """The heading; what is ours gets a prefix where the file has a column of that name."""
    own = ["row", "prediction", "label", *(f"p({label})" for label in classes), "warnings", "record", "error"]
    taken = set(names)
    renamed = [f"parecer {name}" if name in taken else name for name in own]
    return _text([[safe(name) for name in (*names, *renamed)]])


def lines(chunk: Chunk, found: Sorted, answers: Sequence[Made | Refused], labels: Sequence[str]) -> bytes:
    """One line a row of the chunk, in its order."""
    columns = [_written(column) for column in chunk.columns]
    own: list[Sequence[Any]] = [()] * len(chunk)
    none = [None] * len(labels)
    known: dict[Any, Any] = {}  # a batch has few different answers, and each is looked through once
    for good, answer in zip(found.good, answers, strict=True):
        if isinstance(answer, Refused):
            own[good.place] = (None, None, *none, None, None, "; ".join(p.detail for p in answer.problems))
            continue
        key = answer.label, answer.prediction
        if answer.label is None:
            cells: Sequence[Any] = (answer.prediction, None)
        elif key not in known:
            cells = known[key] = (safe(answer.prediction), safe(answer.label))
        else:
            cells = known[key]
        shares = none if answer.probabilities is None else answer.probabilities.values()
        warnings = safe("; ".join(w["detail"] for w in answer.warnings)) if answer.warnings else None
        own[good.place] = (*cells, *shares, warnings, answer.id, None)
    for place, wrongs in found.bad.items():
        own[place] = (None, None, *none, None, None, safe("; ".join(map(_told, wrongs))))
    numbers = range(chunk.first, chunk.first + len(chunk))
    return _text(
        (*cells, n, *row) for cells, n, row in zip(zip(*columns, strict=True), numbers, own, strict=True)
    )


def _told(wrong: Wrong) -> str:
    return f"{wrong.column}: {wrong.detail}" if wrong.column else wrong.detail


def _text(rows: Any) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def _written(column: Sequence[object]) -> Sequence[object]:
    """Cells of the file as they go into the result: numbers as they were, texts disarmed."""
    if type(column[0]) is str and all(type(c) is str for c in column):
        texts: Sequence[str] = column  # type: ignore[assignment]
        return texts if not SUSPECT.search("\x1f".join(texts)) else [_disarmed(t) for t in texts]
    return [_cell(c) for c in column]


def _cell(cell: object) -> object:
    if cell is None or cell is ABSENT:
        return None
    if isinstance(cell, (dict, list)):
        return _disarmed(orjson.dumps(cell, default=str).decode())
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return _disarmed(cell) if isinstance(cell, str) else cell


def _disarmed(text: str) -> str:
    try:
        float(text.replace(",", "."))  # a number keeps its sign
        return text
    except ValueError:
        return str(safe(text))


def problem_lines(chunk: Chunk, found: Sorted) -> list[tuple[int, int, str, str]]:
    """(row, line, column, what is wrong) of the bad rows of a chunk, in order."""
    return [
        (chunk.first + place, chunk.lines[place], wrong.column, wrong.detail)
        for place in sorted(found.bad)
        for wrong in found.bad[place]
    ]


def stream(folder: Path, heading: bytes, parts: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    """Heading and parts, as far as their rows are on the record."""
    yield heading
    for attempt, size in parts:
        if size:
            yield from _portion(part_path(folder, attempt), size)


def _portion(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size and (data := file.read(min(READ, size))):
            size -= len(data)
            yield data
