"""Tables as files: what a sample of data is read from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from webapp.errors import BadArtifact

if TYPE_CHECKING:
    import pandas as pd

#: How a Parquet file begins.
PARQUET = b"PAR1"


def read_table(data: bytes, target: str, name: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Features and target of a CSV file with a header row, or of a Parquet file; `name` is for messages.

    Raises BadArtifact saying what is wrong with the file.
    """
    frame = _parquet(data, name) if data.startswith(PARQUET) else _csv(data, name)
    if target not in frame.columns:
        known = ", ".join(map(str, frame.columns[:20]))
        hint = " Separate columns with commas." if len(frame.columns) == 1 else ""
        raise BadArtifact(f"{name} has no column {target!r}; its columns are: {known}.{hint}")
    rows = frame[frame[target].notna()]
    if rows.empty:
        raise BadArtifact(f"{name} has no row with a value in the column {target!r}; give some.")
    if len(frame.columns) < 2:
        raise BadArtifact(f"{name} has no column but {target!r}; give the features too.")
    numbers = rows.select_dtypes("number")
    if endless := [column for column in numbers if np.isinf(numbers[column]).any()]:
        raise BadArtifact(f"{name} has an infinite value in the column {endless[0]!r}; leave that row out.")
    return rows.drop(columns=[target]), rows[target]


def _parquet(data: bytes, name: str) -> pd.DataFrame:
    import pyarrow as pa  # heavy: only publishing reads tables
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise BadArtifact(f"{name} cannot be read as Parquet: {str(error)[:200]}") from None
    if len(set(table.column_names)) < len(table.column_names):
        raise BadArtifact(f"{name} has two columns of one name; give each its own name.")
    if nested := [f.name for f in table.schema if pa.types.is_nested(f.type)]:
        raise BadArtifact(f"{name} has lists or records in the column {nested[0]!r}; give plain values.")
    frame: pd.DataFrame = table.to_pandas(use_threads=False, ignore_metadata=True)
    return frame


def _csv(data: bytes, name: str) -> pd.DataFrame:
    import pandas as pd  # heavy: only publishing reads tables

    if b"\0" in data:
        raise BadArtifact(f"{name} is not text in UTF-8; save it as CSV in UTF-8.")
    try:
        # As pandas reads it, the second of two columns “a” would be called “a.1”.
        header = pd.read_csv(io.BytesIO(data), header=None, nrows=1, dtype=str).iloc[0].dropna()
        frame = pd.read_csv(io.BytesIO(data))
    except pd.errors.EmptyDataError:
        raise BadArtifact(f"{name} is an empty file; give a CSV file with a header row.") from None
    except UnicodeDecodeError:
        raise BadArtifact(f"{name} is not text in UTF-8; save it as CSV in UTF-8.") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise BadArtifact(f"{name} cannot be read as CSV: {str(error)[:200]}") from None
    if twice := header[header.duplicated()].tolist():
        raise BadArtifact(f"{name} has two columns {twice[0]!r}; give each its own name.")
    if not isinstance(frame.index, pd.RangeIndex):  # pandas would move every value to another column
        raise BadArtifact(f"{name} has more fields in a row than in its header; give each column a name.")
    return frame
