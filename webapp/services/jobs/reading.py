"""Files of rows, read a chunk at a time so that memory stays flat: delimited text, JSON lines, Parquet."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from webapp.ml.schema import ABSENT
from webapp.wording import said

#: Rows of a chunk. More would hold the write lock for longer than others should wait.
CHUNK = 2_000
#: Characters of a line, and columns: beyond them a file is damaged, or no table.
LONGEST_LINE, MOST_COLUMNS = 1_000_000, 12_000
#: Bytes that one row group of a Parquet file may unpack to: it is held in memory whole.
LARGEST_GROUP = 512 * 2**20


class Unreadable(Exception):
    """The file as a whole cannot be used; `detail` says where, why and what to do."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class How:
    """How a file is to be read: csv, jsonl or parquet; the rest counts for csv, the encoding for jsonl too."""

    format: str
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."

    def to_dict(self) -> dict[str, str]:
        """Plain values, that `How(**…)` takes back."""
        return asdict(self)


@dataclass(slots=True)
class Chunk:
    """Some rows; `columns` in the order of the heading. Cells are texts in csv, else values, ABSENT if not there."""

    #: The number of the first row among the data rows, from 1.
    first: int
    #: Where each row begins: the line of the file, or its number.
    lines: list[int]
    columns: Sequence[Sequence[object]]
    #: Place in the chunk → what is wrong with the row as a whole.
    broken: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lines)


def heading(path: Path, how: How) -> list[str]:
    """The names of the columns, each once; raises Unreadable."""
    if how.format == "jsonl":
        return _named_in_lines(path, how)
    if how.format == "parquet":
        return _once(list(_parquet(path).schema_arrow.names))
    with _opened(path, how) as file:
        first = next(_rows(_lines(file), how), None)
    if first is None:
        raise Unreadable(
            said("The file is empty; it needs a heading with the names of the columns, then rows.")
        )
    names = [name.strip() for name in first[1]]
    return _once([name or str(said("column {n}", n=n)) for n, name in enumerate(names, 1)])


def chunks(
    path: Path, how: How, names: Sequence[str], *, skip: int = 0, size: int = CHUNK
) -> Iterator[Chunk]:
    """The rows after the first `skip`, at most `size` at a time; `names` is the heading. Raises Unreadable."""
    if how.format == "parquet":
        yield from _from_parquet(path, names, skip, size)
    elif how.format == "jsonl":
        yield from _from_json(path, how, names, skip, size)
    else:
        yield from _from_text(path, how, names, skip, size)


def _once(names: list[str]) -> list[str]:
    if len(names) > MOST_COLUMNS:
        raise Unreadable(
            said("The heading names {n} columns; a file may have {most}.", n=len(names), most=MOST_COLUMNS)
        )
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Unreadable(said("Two columns are called “{name}”; give each its own name.", name=name[:60]))
        seen.add(name)
    return names


def _opened(path: Path, how: How) -> IO[str]:
    # codecs' own reader would also end lines at form feeds and the like.
    return path.open(encoding=how.encoding, newline="")


def _lines(file: IO[str]) -> Iterator[str]:
    """Lines with their ends, none longer than it may be."""
    read = file.readline
    number = 0
    while True:
        number += 1
        try:
            line = read(LONGEST_LINE + 1)
        except UnicodeDecodeError as error:
            raise Unreadable(_not_encoded(error, number)) from None
        if not line:
            return
        if len(line) > LONGEST_LINE:
            raise Unreadable(
                said(
                    "Line {number} is longer than {most} characters; look for a missing line break there.",
                    number=number,
                    most=LONGEST_LINE,
                )
            )
        if "\0" in line:
            raise Unreadable(
                said("Line {number} holds a NUL byte, so this is no text; save the file anew.", number=number)
            )
        yield line


def _not_encoded(error: UnicodeDecodeError, number: int) -> str:
    byte = error.object[error.start]
    return said(
        "The text near line {number} is not {encoding}: there is a byte 0x{byte}. It may be Windows-1252 (Latin-1): "
        "choose that, or save the file as UTF-8.",
        number=number,
        encoding=error.encoding.upper(),
        byte=f"{byte:02X}",
    )


def _rows(lines: Iterator[str], how: How) -> Iterator[tuple[int, list[str]]]:
    """(line it begins on, fields) of every line that is not empty."""
    reader = csv.reader(lines, delimiter=how.delimiter, strict=True)
    begins = 1
    try:
        for fields in reader:
            if fields:
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(_unquoted(error, begins)) from None


def _unquoted(error: csv.Error, line: int) -> str:
    text = str(error)
    if "unexpected end" in text or "field larger" in text:
        return said(
            "A quotation mark opened at or after line {line} is not closed; close it, or double the mark if it "
            "is part of the text.",
            line=line,
        )
    return said(
        "At line {line} a quotation mark stands where it cannot: a field in quotes has to end with its mark, and "
        "a mark inside is written twice.",
        line=line,
    )


def _from_text(path: Path, how: How, names: Sequence[str], skip: int, size: int) -> Iterator[Chunk]:
    width, first = len(names), skip + 1
    with _opened(path, how) as file:
        rows = _rows(_lines(file), how)
        next(rows, None)  # the heading
        for _ in islice(rows, skip):
            pass
        while got := list(islice(rows, size)):
            broken: dict[int, str] = {}
            for i, (_, fields) in enumerate(got):
                if len(fields) != width:
                    broken[i] = said(
                        "the heading has {width} fields, this row {n}; look for a delimiter too many or too few",
                        n=len(fields),
                        width=width,
                    )
                    got[i] = (got[i][0], (fields + [""] * width)[:width])
            lines = [line for line, _ in got]
            yield Chunk(first, lines, list(zip(*(f for _, f in got), strict=True)), broken)
            first += len(got)


def _named_in_lines(path: Path, how: How) -> list[str]:
    names: dict[str, None] = {}
    for _, row in _objects(path, how):
        if isinstance(row, dict) and not row.keys() <= names.keys():
            names.update(dict.fromkeys(row))
            if len(names) > MOST_COLUMNS:
                break
    if not names:
        raise Unreadable(
            said("No line holds an object; write one row a line, as {example}.", example='{"feature": 1.5}')
        )
    return _once(list(names))


def _objects(path: Path, how: How) -> Iterator[tuple[int, Any]]:
    """(line, parsed) for every line that is not blank; a broken one gives its problem as a text."""
    with _opened(path, how) as file:
        for number, line in enumerate(_lines(file), 1):
            if text := line.strip():
                yield number, _object(text)


def _object(text: str) -> Any:
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return said("is not JSON: {reason} (character {at})", reason=error.msg, at=error.colno)
    if not isinstance(row, dict):
        return said("is not an object; write one row a line, as {example}", example='{"feature": 1.5}')
    if text.count(":") != len(row) and (name := _doubled(text)):
        return said("names “{name}” twice; write each name once", name=name[:60])
    return row


def _doubled(text: str) -> str:
    doubled: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        doubled.extend(name for name in names if names.count(name) > 1)

    json.loads(text, object_pairs_hook=once)
    return doubled[0] if doubled else ""


def _from_json(path: Path, how: How, names: Sequence[str], skip: int, size: int) -> Iterator[Chunk]:
    objects, first = _objects(path, how), skip + 1
    for _ in islice(objects, skip):
        pass
    while got := list(islice(objects, size)):
        broken = {i: row for i, (_, row) in enumerate(got) if not isinstance(row, dict)}
        rows = [{} if i in broken else row for i, (_, row) in enumerate(got)]
        columns = [[row.get(name, ABSENT) for row in rows] for name in names]
        yield Chunk(first, [line for line, _ in got], columns, broken)
        first += len(got)


def _parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet as pq  # an extra, and heavy: only Parquet files need it
    except ImportError:
        raise Unreadable(
            said("This server cannot read Parquet, because pyarrow is not installed; send CSV or JSON lines.")
        ) from None
    try:
        file = pq.ParquetFile(path)
        groups = [file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups)]
    except Exception as error:  # noqa: BLE001 - pyarrow has its own kinds, none of them promised
        raise Unreadable(
            said("The file is damaged or no Parquet: {reason}", reason=str(error).splitlines()[0][:200])
        ) from None
    if max(groups, default=0) > LARGEST_GROUP:
        raise Unreadable(
            said("A row group of this file is larger than 512 MB; write it with smaller row groups.")
        )
    return file


def _from_parquet(path: Path, names: Sequence[str], skip: int, size: int) -> Iterator[Chunk]:
    file, passed, first = _parquet(path), 0, skip + 1
    try:
        for batch in file.iter_batches(batch_size=size, columns=list(names), use_threads=False):
            passed += batch.num_rows
            if passed <= skip:
                continue
            batch = batch.slice(max(0, batch.num_rows - (passed - skip)))
            columns = [[_plain(v) for v in batch.column(name).to_pylist()] for name in names]
            yield Chunk(first, list(range(first, first + batch.num_rows)), columns)
            first += batch.num_rows
    except (OSError, ValueError) as error:
        raise Unreadable(
            said("The file is damaged: {reason}", reason=str(error).splitlines()[0][:200])
        ) from None


def _plain(value: Any) -> Any:
    """Times, decimals and the like as texts or numbers; what JSON knows stays as it is."""
    if value is None or type(value) in (float, int, bool, str, dict, list):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
