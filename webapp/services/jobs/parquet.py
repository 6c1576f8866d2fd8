"""Parquet files, read so that not even one that unpacks to a thousand times its size fills the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webapp.services.jobs.files import (
    CHARACTERS,
    DEEPEST,
    LONGEST_LINE,
    OF_A_FILE,
    Chunk,
    GoOn,
    How,
    Unreadable,
    reason,
)
from webapp.services.jobs.pages import sizes
from webapp.wording import said

MB = 2**20
#: Bytes of the description of columns and row groups; in memory it takes several times as much.
LARGEST_FOOTER = 16 * MB
#: Bytes of the pages that have to be in memory together: one of each column, and its dictionary.
LARGEST_PAGES = 128 * MB
#: Bytes that the rows read at once may unpack to, and all the lists of one column of a row group.
LARGEST_BATCH, LARGEST_LISTS = 8 * MB, 64 * MB
#: What buffers of all columns take together; and a value of a list, as Python holds it.
BUFFERS, SLOT = 16 * MB, 8


def heading(path: Path) -> list[str]:
    """The names of the columns; raises Unreadable."""
    return list(_opened(path).schema_arrow.names)


def chunks(path: Path, _how: How, names: Sequence[str], skip: int, size: int, go_on: GoOn) -> Iterator[Chunk]:
    """The rows after the first `skip`, at most `size` at a time, fewer where they are large."""
    held = _Held(skip + 1, [[] for _ in names])
    for batch in _batches(path, skip, size, go_on):
        for piece in _pieces(batch):
            if held.size and (held.size + piece.num_rows > size or held.bytes + _weight(piece) > CHARACTERS):
                yield held.chunk()
                held = _Held(held.first + held.size, [[] for _ in names])
            held.add(piece, names)
    if held.size:
        yield held.chunk()


@dataclass(slots=True)
class _Held:
    """Rows of a chunk, as they come together."""

    first: int
    columns: list[list[object]]
    broken: dict[int, str] = field(default_factory=dict)
    size: int = 0
    bytes: int = 0

    def add(self, batch: Any, names: Sequence[str]) -> None:
        for name, cells, array in zip(names, self.columns, batch.columns, strict=True):
            values, failed = _values(array)
            cells.extend(values)
            for place, problem in failed.items():
                told = said("the value in column “{name}” {problem}", name=name[:60], problem=problem)
                self.broken.setdefault(self.size + place, told)
        self.size += batch.num_rows
        self.bytes += _weight(batch)

    def chunk(self) -> Chunk:
        return Chunk(self.first, list(range(self.first, self.first + self.size)), self.columns, self.broken)


def _opened(path: Path) -> Any:
    try:
        import pyarrow.parquet as pq  # an extra, and heavy: only Parquet files need it
    except ImportError:
        raise Unreadable(
            said("This server cannot read Parquet, because pyarrow is not installed; send CSV or JSON lines.")
        ) from None
    with path.open("rb") as raw:
        raw.seek(max(0, path.stat().st_size - 8))
        length, mark = int.from_bytes(raw.read(4), "little"), raw.read(4)
        if mark == b"PAR1" and length > LARGEST_FOOTER:
            raise Unreadable(
                said(
                    "The description of this file's columns is larger than 16 MB; write it with larger row groups."
                )
            )
    try:
        meta = pq.read_metadata(path)
        file = pq.ParquetFile(path, metadata=meta, buffer_size=max(4096, BUFFERS // max(1, meta.num_columns)))
    except Exception as error:  # pyarrow has its own kinds, none of them promised
        if isinstance(error, OSError) and error.errno:
            raise
        raise Unreadable(said("The file is damaged or no Parquet: {reason}", reason=reason(error))) from error
    if any(file.schema.column(i).max_definition_level > 2 * DEEPEST for i in range(meta.num_columns)):
        raise Unreadable(
            said("Columns are nested more than {most} levels deep; write flat columns.", most=DEEPEST)
        )
    return file


def _batches(path: Path, skip: int, size: int, go_on: GoOn) -> Iterator[Any]:
    file = _opened(path)
    with path.open("rb") as raw:
        for group in range(file.num_row_groups):
            n = file.metadata.row_group(group).num_rows
            if skip >= n:
                skip -= n
                continue
            go_on()
            at_once = _at_once(file, raw, group, size, go_on)
            try:
                for batch in file.iter_batches(at_once, row_groups=[group], use_threads=False):
                    go_on()
                    yield _decoded(batch.slice(skip))
                    skip = max(0, skip - batch.num_rows)
            except OSError as error:  # pyarrow's for what is damaged, without a number
                if error.errno:
                    raise
                raise Unreadable(said("The file is damaged: {reason}", reason=reason(error))) from error


def _decoded(batch: Any) -> Any:
    """A batch whose columns are what they look like; that of categories holds all of them, in every slice."""
    import pyarrow as pa

    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=[str(i) for i in range(len(columns))])


def _at_once(file: Any, raw: Any, group: int, size: int, go_on: GoOn) -> int:
    """How many rows of a row group to read at once; raises Unreadable where its pages are too large for any."""
    meta, together, a_row = file.metadata.row_group(group), 0, 0
    for i in range(meta.num_columns):
        if not i % 100:
            go_on()
        leaf, column = meta.column(i), file.schema.column(i)
        found = sizes(raw, leaf)
        together += found.page + found.dictionary
        if together > LARGEST_PAGES:
            raise Unreadable(
                said(
                    "The pages of row group {n} are larger than {most} MB together; write smaller row groups.",
                    n=group + 1,
                    most=LARGEST_PAGES // MB,
                )
            )
        value = max(SLOT, column.length or 0, found.value if column.physical_type == "BYTE_ARRAY" else 0)
        if not column.max_repetition_level:
            a_row += value
        elif found.values * value > LARGEST_LISTS:
            raise Unreadable(
                said(
                    "The lists in column “{name}” are too large to be read; write smaller row groups, or leave the "
                    "column out.",
                    name=leaf.path_in_schema[:60],
                )
            )
    return max(1, min(size, LARGEST_BATCH // max(1, a_row)))


def _pieces(batch: Any) -> Iterator[Any]:
    """A batch in parts that are each no more than a chunk may be, but for one that is a single row."""
    if batch.num_rows > 1 and _weight(batch) > CHARACTERS:
        half = batch.num_rows // 2
        yield from _pieces(batch.slice(0, half))
        yield from _pieces(batch.slice(half))
    elif batch.num_rows:
        yield batch


def _weight(batch: Any) -> int:
    """Bytes, those of lists as Python holds them."""
    return sum(array.nbytes * (SLOT if _nested(array) else 1) for array in batch.columns)


def _nested(array: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_nested(array.type))


def _values(array: Any) -> tuple[list[object], dict[int, str]]:
    """Cells of a column; by place what is wrong with those that cannot be used, which are None."""
    failed = _too_long(array)
    if not failed:
        try:
            return [_plain(v) for v in array.to_pylist()], failed
        except OF_A_FILE:
            pass  # one by one, then, to name the rows
    values: list[object] = []
    for i in range(len(array)):
        try:
            values.append(None if i in failed else _plain(array[i].as_py()))
        except OF_A_FILE as error:
            failed[i] = said("cannot be read: {reason}", reason=reason(error))
            values.append(None)
    return values, failed


def _too_long(array: Any) -> dict[int, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if array.nbytes <= LONGEST_LINE:
        return {}
    if _nested(array):
        long = [array.slice(i, 1).nbytes > LONGEST_LINE for i in range(len(array))]
    elif pa.types.is_string(array.type) or pa.types.is_binary(array.type):
        long = pc.greater(pc.binary_length(array), LONGEST_LINE).to_pylist()
    else:
        return {}
    told = said("is longer than {most} characters; shorten it", most=LONGEST_LINE)
    return {i: told for i, is_so in enumerate(long) if is_so}


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
