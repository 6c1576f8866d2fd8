"""What a file is, whatever its name says: format, encoding, delimiter, sign of decimals."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from webapp.ml.schema import Schema
from webapp.services.jobs.files import How, Unreadable
from webapp.wording import said

BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
HEAD = 256 * 1024
SAMPLED_ROWS = 50
DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8", "cp1252", "utf-16")
DECIMALS = (".", ",")
CHOICES = {"delimiter": DELIMITERS, "encoding": ENCODINGS, "decimal": DECIMALS}
#: First bytes → what the file is instead.
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook (.xlsx)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\x7fELF", "a program"),
    (b"ARROW1", "an Arrow file"),
)
FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*", re.ASCII)


def sniff(path: Path, name: str, chosen: Mapping[str, str], schema: Schema) -> How:
    """How to read a file called `name`; what is `chosen` is not guessed. Raises Unreadable."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0"):
        raise Unreadable(
            said("The file is empty; it needs a heading with the names of the columns, then rows.")
        )
    ending = Path(name.lower()).suffix
    if head.startswith(b"PAR1"):
        if (ending in FORMATS and FORMATS[ending] != "parquet") or ending in (".csv", ".tsv", ".txt"):
            raise Unreadable(said("The file is Parquet, not what its name says; call it .parquet."))
        return How("parquet")
    for magic, what in MAGIC:
        if head.startswith(magic):
            raise Unreadable(
                said("The file is {what}, not a table of text; save it as CSV in UTF-8.", what=what)
            )
    if FORMATS.get(ending) == "parquet":
        raise Unreadable(
            said("The file is called Parquet and is none; save it anew, or name it for what it is.")
        )
    encoding = chosen.get("encoding") or _encoding(head)
    if encoding == "utf-8" and head.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    if encoding == "utf-16" and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        if b"\0" not in head:  # each sign below U+0100 has one, and so has every end of a line
            raise Unreadable(said("The file is not UTF-16; choose another encoding, or let it be found out."))
        encoding = "utf-16-le"
    text = _decoded(head, encoding)
    if FORMATS.get(ending) == "jsonl" or (
        ending not in (".csv", ".tsv", ".txt") and text.lstrip()[:1] == "{"
    ):
        if text.lstrip()[:1] == "[":
            raise Unreadable(
                said("The file is one JSON list; write one object a line instead, without the list.")
            )
        return How("jsonl", encoding)
    delimiter = chosen.get("delimiter") or _delimiter(text, schema)
    return How("csv", encoding, delimiter, chosen.get("decimal") or _decimal(text, delimiter, schema))


def _encoding(head: bytes) -> str:
    for mark, name in BOMS:
        if head.startswith(mark):
            return name
    if b"\0" in head[:4096]:
        raise Unreadable(
            said("The file holds NUL bytes, so it is no text in UTF-8; save it as CSV in UTF-8.")
        )
    return "utf-8"


def _decoded(head: bytes, encoding: str) -> str:
    return head.decode(encoding, "replace")


def _sample(text: str, delimiter: str) -> list[list[str]]:
    """The first rows, without the last one, which the end of the head may have cut."""
    lines = text.splitlines(keepends=True)
    try:
        rows = [row for row in csv.reader(islice(lines, SAMPLED_ROWS + 1), delimiter=delimiter) if row]
    except csv.Error:
        return []
    return rows if len(lines) <= SAMPLED_ROWS else rows[:-1]


def _delimiter(text: str, schema: Schema) -> str:
    """The one that finds most features in the heading; then the one that cuts it into most pieces."""

    def worth(delimiter: str) -> tuple[int, int]:
        rows = _sample(text, delimiter)
        names = {name.strip() for name in rows[0]} if rows else set()
        return len(names & set(schema.names)), len(rows[0]) if rows else 0

    return max(DELIMITERS, key=worth)


def _decimal(text: str, delimiter: str, schema: Schema) -> str:
    """A comma only where numbers have one and none has a point."""
    if delimiter == ",":
        quoted = any('"' in line for line in text.splitlines()[:SAMPLED_ROWS])
        if not quoted:
            return "."
    rows = _sample(text, delimiter)
    if not rows:
        return "."
    numeric = {f.name for f in schema.features if f.kind in ("number", "integer")}
    places = [i for i, name in enumerate(rows[0]) if name.strip() in numeric]
    cells = [row[i] for row in rows[1:] for i in places if i < len(row)]
    commas = any(COMMA.fullmatch(cell) for cell in cells)
    return "," if commas and not any("." in cell for cell in cells) else "."
