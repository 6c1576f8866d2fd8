"""The result of a batch: the columns of the file, then what was answered, as CSV safe for spreadsheets."""

from __future__ import annotations

import csv
import io
import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from webapp.errors import printable
from webapp.ml.schema import ABSENT
from webapp.services.cells import SUSPECT, safe
from webapp.services.jobs.columns import Sorted, Wrong
from webapp.services.jobs.files import Chunk, How
from webapp.services.predictions import Made, Refused

READ = 256 * 1024


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a result is written: as its file was, so that what could open the one can open the other."""

    delimiter: str = ","
    decimal: str = "."
    #: Whether the bytes that tell a spreadsheet of UTF-8 stand before the heading.
    mark: bool = False

    @classmethod
    def of(cls, how: How) -> Dialect:
        """That of a file; of one that is no CSV, plain CSV. What was not plain UTF-8 came from a spreadsheet."""
        return cls(how.delimiter, how.decimal, how.encoding != "utf-8") if how.format == "csv" else cls()

    def number(self, cell: Any) -> Any:
        """A float with its decimal sign; anything else unchanged."""
        return str(cell).replace(".", ",") if self.decimal == "," and isinstance(cell, float) else cell


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


def head(names: Sequence[str], classes: Sequence[str], dialect: Dialect) -> bytes:
    """The heading; what is ours gets a prefix where the file has a column of that name."""
    own = ["row", "prediction", "label", *(f"p({label})" for label in classes), "warnings", "record", "error"]
    taken = set(names)
    renamed = [f"parecer {name}" if name in taken else name for name in own]
    heading = _text([[safe(printable(name)) for name in (*names, *renamed)]], dialect)
    return BOM_UTF8 + heading if dialect.mark else heading


def lines(
    chunk: Chunk,
    found: Sorted,
    answers: Sequence[Made | Refused],
    labels: Sequence[str],
    dialect: Dialect,
) -> bytes:
    """One line a row of the chunk, in its order."""
    columns = [_written(column) for column in chunk.columns]
    own: list[Sequence[Any]] = [()] * len(chunk)
    none = [None] * len(labels)
    known: dict[Any, Any] = {}  # a batch has few different answers, and each is looked through once
    for good, answer in zip(found.good, answers, strict=True):
        if isinstance(answer, Refused):
            own[good.place] = (None, None, *none, None, None, "; ".join(p.detail for p in answer.problems))
            continue
        key = answer.label, answer.prediction if answer.ranking is None else None
        if answer.ranking is not None:
            cells: Sequence[Any] = (as_json(answer.prediction), safe(answer.label))
        elif answer.label is None:
            cells = (dialect.number(answer.prediction), None)
        elif key not in known:
            cells = known[key] = (safe(answer.prediction), safe(answer.label))
        else:
            cells = known[key]
        shares = none if answer.probabilities is None else map(dialect.number, answer.probabilities.values())
        warnings = safe("; ".join(w["detail"] for w in answer.warnings)) if answer.warnings else None
        own[good.place] = (*cells, *shares, warnings, answer.id, None)
    for place, wrongs in found.bad.items():
        own[place] = (None, None, *none, None, None, safe(printable("; ".join(map(_told, wrongs)))))
    numbers = range(chunk.first, chunk.first + len(chunk))
    return _text(
        ((*cells, n, *row) for cells, n, row in zip(zip(*columns, strict=True), numbers, own, strict=True)),
        dialect,
    )


def _told(wrong: Wrong) -> str:
    return f"{wrong.column}: {wrong.detail}" if wrong.column else wrong.detail


def _text(rows: Any, dialect: Dialect) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=dialect.delimiter).writerows(rows)
    return buffer.getvalue().encode()


def _written(column: Sequence[object]) -> Sequence[object]:
    """Cells of the file as they go into the result: numbers as they were, texts disarmed."""
    if type(column[0]) is str and all(type(c) is str for c in column):
        texts: Sequence[str] = column  # type: ignore[assignment]
        joined = "\x1f".join(texts)
        return [_disarmed(t) for t in texts] if "\0" in joined or SUSPECT.search(joined) else texts
    return [_cell(c) for c in column]


def _cell(cell: object) -> object:
    if cell is None or cell is ABSENT:
        return None
    if isinstance(cell, (dict, list)):
        return _disarmed(as_json(cell))
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return _disarmed(cell) if isinstance(cell, str) else cell


def as_json(cell: object) -> str:
    """A value that is no text as JSON; what JSON has no words for as Python writes it."""
    try:
        return orjson.dumps(cell, default=str).decode()
    except TypeError:  # a number beyond 64 bits, a name that is no text
        return str(cell)


def _disarmed(text: str) -> str:
    try:
        float(text.replace(",", "."))  # a number keeps its sign
        return text
    except ValueError:
        return str(safe(printable(text)))


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
