"""Records as files: CSV that a spreadsheet can be trusted with, and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import islice
from typing import Any, NamedTuple

import orjson

from webapp.errors import NotFound
from webapp.services.cells import safe
from webapp.services.history import Record
from webapp.services.pictures import in_words, worded
from webapp.wording import said

FLUSH = 200
#: Rows of a group of a Parquet file, which are held in memory together.
GROUP = 2_000
INPUT = "input."


class Field(NamedTuple):
    """One column of a file: the name of its Arrow type, and how it is read from a record."""

    type: str
    read: Callable[[Record], Any]


def rfc3339(us: int) -> str:
    """As the API writes it."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")


#: Every column that a record has, whatever its model, in the order of the file; the inputs as received come last.
FIELDS = {
    "id": Field("string", lambda r: r.id),
    "created_at": Field("moment", lambda r: r.created_us),
    "model": Field("string", lambda r: r.model),
    "version": Field("int64", lambda r: int(r.version)),
    "prediction": Field("any", lambda r: r.prediction),
    "unit": Field("string", lambda r: r.unit),
    "label": Field("string", lambda r: r.label),
    "score": Field("float64", lambda r: r.score),
    "warnings": Field("string", lambda r: "; ".join(w["detail"] for w in r.warnings)),
    "review": Field("string", lambda r: r.review),
    "outcome": Field("string", lambda r: r.outcome),
    "user": Field("string", lambda r: r.user),
    "role": Field("string", lambda r: r.role),
    "channel": Field("string", lambda r: r.channel),
    "subject": Field("string", lambda r: r.subject),
    "request_id": Field("string", lambda r: r.request_id),
    "latency_ms": Field("float64", lambda r: r.latency_us / 1000),
    "engine": Field("string", lambda r: r.engine),
    "state": Field("string", lambda r: r.state),
}
INPUTS = "inputs"
#: Column of the list → those of a file.
SHOWN = {
    "when": ("created_at",),
    "model": ("model", "version"),
    "answer": ("prediction", "unit", "label"),
    "score": ("score",),
    "asked": (INPUTS,),
    "reference": ("subject",),
    "warnings": ("warnings",),
    "review": ("review",),
    "outcome": ("outcome",),
    "by": ("user", "role"),
    "channel": ("channel",),
    "latency": ("latency_ms",),
    "engine": ("engine",),
    "state": ("state",),
    "request": ("request_id",),
    "record": ("id",),
}


def fields(shown: Sequence[str], features: Sequence[str]) -> dict[str, Field]:
    """The columns of a file, by name: for the columns `shown` in the list, or all if none; the id is always there."""
    names = {"id", *(name for word in shown for name in SHOWN.get(word, ()))} if shown else {*FIELDS, INPUTS}
    inputs = [w.removeprefix(INPUT) for w in shown if w.startswith(INPUT)] if shown else features
    found = {name: field for name, field in FIELDS.items() if name in names}
    found |= {f"{INPUT}{name}": Field("any", _input(name)) for name in inputs}
    return found | ({INPUTS: Field("string", _inputs)} if INPUTS in names else {})


def _input(name: str) -> Callable[[Record], Any]:
    return lambda r: worded((r.used or {}).get(name))


def _inputs(record: Record) -> str | None:
    return None if record.inputs is None else orjson.dumps(in_words(record.inputs)).decode()


def lines(records: Iterable[Record], columns: dict[str, Field]) -> Iterator[bytes]:
    """A CSV file: a heading and one line a record, some at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([safe(name) for name in columns])
    for n, record in enumerate(records, 1):
        writer.writerow([safe(_cell(field, record)) for field in columns.values()])
        if n % FLUSH == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _cell(field: Field, record: Record) -> Any:
    value = field.read(record)
    if isinstance(value, list):
        return orjson.dumps(value).decode()
    return rfc3339(value) if field.type == "moment" else value


def parquet_is_there() -> bool:
    """Whether this installation can write Parquet."""
    return find_spec("pyarrow") is not None


def need_parquet() -> None:
    """Raises NotFound where this installation can write no Parquet."""
    if not parquet_is_there():
        raise NotFound(
            said("This server writes no Parquet. Take CSV, or ask its operator to install parecer[parquet].")
        )


def parquet(records: Iterable[Record], columns: dict[str, Field], numbers: Sequence[str]) -> Iterator[bytes]:
    """A Parquet file, GROUP records at a time; `numbers` are the inputs that are numbers, the others are text.

    `prediction` is text, since classes and numbers may stand in it.
    """
    # Heavy, and of an extra that may be absent.
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    types = {
        name: "float64" if name.removeprefix(INPUT) in numbers and name.startswith(INPUT) else field.type
        for name, field in columns.items()
    }
    arrow = {"moment": pa.timestamp("us", tz="UTC"), "any": pa.string()}
    made = {name: arrow.get(kind) or getattr(pa, kind)() for name, kind in types.items()}
    schema, sink = pa.schema(list(made.items())), _Sink()
    with ParquetWriter(sink, schema, compression="zstd") as writer:
        left = iter(records)
        while group := list(islice(left, GROUP)):
            read = {
                name: pa.array([_plain(field.read(r), types[name]) for r in group], made[name])
                for name, field in columns.items()
            }
            writer.write_table(pa.table(read, schema))
            yield sink.take()
    yield sink.take()


def _plain(value: Any, kind: str) -> Any:
    if kind == "float64":
        return float(value) if isinstance(value, int | float) else None
    if kind == "any" and value is not None:
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    return value


class _Sink(io.RawIOBase):
    """What a Parquet file is written to; gives out what has come since it was last asked."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._kept.append(bytes(data))
        return len(self._kept[-1])

    def take(self) -> bytes:
        taken, self._kept = b"".join(self._kept), []
        return taken
