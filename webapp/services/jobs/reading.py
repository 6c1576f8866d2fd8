"""Files of rows, read a chunk at a time so that memory stays flat: delimited text here, and the way to the others."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from webapp.services.jobs import json_lines, parquet
from webapp.services.jobs.files import (
    CELLS,
    LONGEST_LINE,
    MOST_COLUMNS,
    OF_A_FILE,
    Chunk,
    GoOn,
    How,
    Lines,
    Unreadable,
    blame,
    go_on_always,
)
from webapp.wording import said

csv.field_size_limit(LONGEST_LINE)  # of a cell; the usual limit is a seventh of an image

#: Rows of a chunk. More would hold the write lock for longer than others should wait.
CHUNK = 2_000


def heading(path: Path, how: How, go_on: GoOn = go_on_always) -> list[str]:
    """The names of the columns, each once; raises Unreadable, and what `go_on` raises."""
    try:
        if how.format == "jsonl":
            return _once(json_lines.heading(path, how, go_on))
        if how.format == "parquet":
            return _once(parquet.heading(path))
        return _once(_first_row(path, how, go_on))
    except OF_A_FILE as error:
        raise blame(error, 0) from error


def chunks(
    path: Path,
    how: How,
    names: Sequence[str],
    *,
    skip: int = 0,
    size: int = CHUNK,
    go_on: GoOn = go_on_always,
) -> Iterator[Chunk]:
    """The rows after the first `skip`, at most `size` at a time, fewer where they are large.

    `names` is the heading; `go_on` is called while nothing else is, too. Raises Unreadable, and what `go_on` raises.
    """
    read = {"parquet": parquet.chunks, "jsonl": json_lines.chunks}.get(how.format, _chunks)
    passed = skip
    try:
        for chunk in read(path, how, names, skip, max(1, min(size, CELLS // max(1, len(names)))), go_on):
            yield chunk
            passed += len(chunk)
    except OF_A_FILE as error:
        raise blame(error, passed) from error


def _once(names: list[str]) -> list[str]:
    if len(names) > MOST_COLUMNS:
        raise Unreadable(
            said("The heading names {n} columns; a file may have {most}.", n=len(names), most=MOST_COLUMNS)
        )
    if sum(map(len, names)) > LONGEST_LINE:
        raise Unreadable(
            said(
                "The names of the columns have more than {most} characters together; shorten them.",
                most=LONGEST_LINE,
            )
        )
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Unreadable(said("Two columns are called “{name}”; give each its own name.", name=name[:60]))
        seen.add(name)
    return names


def _first_row(path: Path, how: How, go_on: GoOn) -> list[str]:
    for _, [fields] in _rows(Lines(path, how.encoding, go_on), how, 0, 1):
        names = [name.strip() for name in fields]
        return [name or str(said("column {n}", n=n)) for n, name in enumerate(names, 1)]
    raise Unreadable(said("The file is empty; it needs a heading with the names of the columns, then rows."))


def _rows(lines: Lines, how: How, skip: int, size: int) -> Iterator[tuple[list[int], list[list[str]]]]:
    """The rows after the first `skip`, without those that are empty: lines they begin on, and their fields."""
    reader = csv.reader(iter(lines), delimiter=how.delimiter, strict=True)
    begins, numbers, rows = 1, list[int](), list[list[str]]()
    try:
        full = lines.row_begins()
        for fields in reader if skip else ():
            begins, full = reader.line_num + 1, lines.row_begins()
            skip -= bool(fields)
            if not skip:
                break
        for fields in reader:
            if fields:
                numbers.append(begins)
                rows.append(fields)
                if len(rows) == size or lines.taken > full:
                    yield numbers, rows
                    numbers, rows, full = [], [], lines.row_begins()
            begins = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(_unquoted(error, begins)) from None
    if rows:
        yield numbers, rows


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


def _chunks(path: Path, how: How, names: Sequence[str], skip: int, size: int, go_on: GoOn) -> Iterator[Chunk]:
    width, first = len(names), skip + 1
    for lines, rows in _rows(
        Lines(path, how.encoding, go_on), how, skip + 1, size
    ):  # the heading is a row too
        broken: dict[int, str] = {}
        for i, fields in enumerate(rows):
            if len(fields) != width:
                broken[i] = said(
                    "the heading has {width} fields, this row {n}; look for a delimiter too many or too few",
                    n=len(fields),
                    width=width,
                )
                rows[i] = (fields + [""] * width)[:width]
        yield Chunk(first, lines, list(zip(*rows, strict=True)), broken)
        first += len(rows)
