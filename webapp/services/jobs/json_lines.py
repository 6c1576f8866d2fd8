"""Files with a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from webapp.ml.schema import ABSENT
from webapp.services.jobs.files import (
    CELLS,
    CHARACTERS,
    DEEPEST,
    LONGEST_LINE,
    MOST_COLUMNS,
    Chunk,
    GoOn,
    How,
    Lines,
    Unreadable,
)
from webapp.wording import said

#: Values in one line, at all levels: a million characters could hold so many empty lists that they fill the memory.
MOST_VALUES = 50_000


def heading(path: Path, how: How, go_on: GoOn) -> list[str]:
    """The names in all lines, in the order in which they come up, until they are too many; raises Unreadable."""
    names: dict[str, None] = {}
    characters, fault = 0, ""
    for number, text in _texts(path, how, go_on):
        row = _object(text)
        if not isinstance(row, dict):
            fault = fault or said(
                "No line holds an object that can be used: line {number} {problem}.",
                number=number,
                problem=row,
            )
        elif not row.keys() <= names.keys():
            new = [name for name in row if name not in names]
            names.update(dict.fromkeys(new))
            characters += sum(map(len, new))
            if len(names) > MOST_COLUMNS or characters > LONGEST_LINE:
                break
    if not names:
        raise Unreadable(
            fault
            or said(
                "No line holds an object; write one row a line, as {example}.", example='{"feature": 1.5}'
            )
        )
    return list(names)


def chunks(path: Path, how: How, names: Sequence[str], skip: int, size: int, go_on: GoOn) -> Iterator[Chunk]:
    """The rows after the first `skip`, at most `size` at a time, fewer where they are large."""
    first, lines, rows, room, values = skip + 1, list[int](), list[Any](), CHARACTERS, CELLS
    for number, text in _texts(path, how, go_on):
        if skip:
            skip -= 1
            continue
        lines.append(number)
        rows.append(_object(text))
        room -= len(text)
        values -= text.count(",") + 4 * text.count("{")  # an object takes as much as four plain cells
        if len(rows) == size or room < 0 or values < 0:
            yield _chunk(first, lines, rows, names)
            first += len(rows)
            lines, rows, room, values = [], [], CHARACTERS, CELLS
    if rows:
        yield _chunk(first, lines, rows, names)


def _chunk(first: int, lines: list[int], rows: list[Any], names: Sequence[str]) -> Chunk:
    broken = {i: row for i, row in enumerate(rows) if not isinstance(row, dict)}
    for i in broken:
        rows[i] = {}
    return Chunk(first, lines, [[row.get(name, ABSENT) for row in rows] for name in names], broken)


def _texts(path: Path, how: How, go_on: GoOn) -> Iterator[tuple[int, str]]:
    """(line, text) of every line that is not blank."""
    for number, line in enumerate(Lines(path, how.encoding, go_on), 1):
        if text := line.strip():
            yield number, text


def _object(text: str) -> Any:
    """What a line holds; what is wrong with it as a text."""
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "depth" in error.msg:
            return _too_deep()
        return said("is not JSON: {reason} (character {at})", reason=error.msg, at=error.colno)
    if not isinstance(row, dict):
        return said("is not an object; write one row a line, as {example}", example='{"feature": 1.5}')
    if len(row) > MOST_COLUMNS:
        return said("has {n} names; a row may have {most}", n=len(row), most=MOST_COLUMNS)
    # What is opened seldom cannot be deep, and what has few commas cannot hold much.
    if (text.count("[") + text.count("{") > DEEPEST or text.count(",") > MOST_VALUES) and (
        fault := _excess(row)
    ):
        return fault
    if text.count(":") != len(row) and (name := _doubled(text)):
        return said("names “{name}” twice; write each name once", name=name[:60])
    return row


def _excess(row: dict[str, Any]) -> str:
    """Why a row is too much to be held, if it is."""
    level, values = [row], 0
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            values += len(value)
            held = value.values() if type(value) is dict else value
            inner += [v for v in held if type(v) is dict or type(v) is list]
        if values > MOST_VALUES:
            return said("holds more than {most} values; write it shorter", most=MOST_VALUES)
        if not inner:
            return ""
        level = inner
    return _too_deep()


def _too_deep() -> str:
    return said("is nested more than {most} levels deep; rows are flat", most=DEEPEST)


def _doubled(text: str) -> str:
    """A name that stands twice in one object, if there is one."""
    found = ""

    def once(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        if found or len(dict(pairs)) == len(pairs):
            return
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                found = name
                return
            seen.add(name)

    # Numbers are not looked at: one with too many digits is no fault of this kind.
    json.loads(text, object_pairs_hook=once, parse_int=str, parse_float=str)
    return found
