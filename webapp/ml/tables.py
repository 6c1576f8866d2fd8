"""Tables as files: what a sample of data is read from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from webapp.errors import BadArtifact
from webapp.wording import said

if TYPE_CHECKING:
    import pandas as pd

#: How a Parquet file begins, and a zip archive, which Excel's workbooks are.
PARQUET = b"PAR1"
ARCHIVE = b"PK\x03\x04"


def read_table(data: bytes, target: str, name: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Features and target of a CSV file with a header row, or of a Parquet file; `name` is for messages.

    Raises BadArtifact saying what is wrong with the file.
    """
    if data.startswith(ARCHIVE):
        raise BadArtifact(
            said("{name} is a workbook or an archive; save the table as CSV or Parquet.", name=name)
        )
    frame = _parquet(data, name) if data.startswith(PARQUET) else _csv(data, name)
    if target not in frame.columns:
        known = ", ".join(map(str, frame.columns[:20]))
        hint = said(" Separate columns with commas.") if len(frame.columns) == 1 else ""
        raise BadArtifact(
            said(
                "{name} has no column {column}; its columns are: {known}.{hint}",
                name=name,
                column=repr(target)[:100],
                known=known[:400],
                hint=hint,
            )
        )
    rows = frame[frame[target].notna()]
    if rows.empty:
        raise BadArtifact(
            said(
                "{name} has no row with a value in the column {column}; give some.",
                name=name,
                column=repr(target)[:100],
            )
        )
    if len(frame.columns) < 2:
        raise BadArtifact(
            said(
                "{name} has no column but {column}; give the features too.",
                name=name,
                column=repr(target)[:100],
            )
        )
    numbers = rows.select_dtypes("number")
    if endless := [column for column in numbers if np.isinf(numbers[column]).any()]:
        raise BadArtifact(
            said(
                "{name} has an infinite value in the column {column}; leave that row out.",
                name=name,
                column=repr(endless[0])[:100],
            )
        )
    return rows.drop(columns=[target]), rows[target]


def _parquet(data: bytes, name: str) -> pd.DataFrame:
    import pyarrow as pa  # heavy: only publishing reads tables
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise BadArtifact(
            said("{name} cannot be read as Parquet: {error}", name=name, error=str(error)[:200])
        ) from None
    if len(set(table.column_names)) < len(table.column_names):
        raise BadArtifact(said("{name} has two columns of one name; give each its own name.", name=name))
    if nested := [f.name for f in table.schema if pa.types.is_nested(f.type)]:
        raise BadArtifact(
            said(
                "{name} has lists or records in the column {column}; give plain values.",
                name=name,
                column=repr(nested[0])[:100],
            )
        )
    frame: pd.DataFrame = table.to_pandas(use_threads=False, ignore_metadata=True)
    return frame


def _csv(data: bytes, name: str) -> pd.DataFrame:
    import pandas as pd  # heavy: only publishing reads tables

    if b"\0" in data:
        raise BadArtifact(said("{name} is not text in UTF-8; save it as CSV in UTF-8.", name=name))
    try:
        # As pandas reads it, the second of two columns “a” would be called “a.1”.
        header = pd.read_csv(io.BytesIO(data), header=None, nrows=1, dtype=str).iloc[0].dropna()
        frame = pd.read_csv(io.BytesIO(data))
    except pd.errors.EmptyDataError:
        raise BadArtifact(
            said("{name} is an empty file; give a CSV file with a header row.", name=name)
        ) from None
    except UnicodeDecodeError:
        raise BadArtifact(said("{name} is not text in UTF-8; save it as CSV in UTF-8.", name=name)) from None
    except (ValueError, pd.errors.ParserError) as error:
        raise BadArtifact(
            said("{name} cannot be read as CSV: {error}", name=name, error=str(error)[:200])
        ) from None
    if twice := header[header.duplicated()].tolist():
        raise BadArtifact(
            said(
                "{name} has two columns {column}; give each its own name.",
                name=name,
                column=repr(twice[0])[:100],
            )
        )
    if not isinstance(frame.index, pd.RangeIndex):  # pandas would move every value to another column
        raise BadArtifact(
            said("{name} has more fields in a row than in its header; give each column a name.", name=name)
        )
    return frame
