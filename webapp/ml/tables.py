"""Tables as files: what a sample of data is read from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from webapp.errors import BadArtifact

if TYPE_CHECKING:
    import pandas as pd


def read_csv(data: bytes, target: str, name: str) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Features and target of a CSV file with a header row; `name` is for messages.

    Raises BadArtifact saying what is wrong with the file.
    """
    import pandas as pd  # heavy: only publishing reads tables

    try:
        frame = pd.read_csv(io.BytesIO(data))
    except pd.errors.EmptyDataError:
        raise BadArtifact(f"{name} is an empty file; give a CSV file with a header row.") from None
    except UnicodeDecodeError:
        raise BadArtifact(f"{name} is not text in UTF-8; save it as CSV in UTF-8.") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise BadArtifact(f"{name} cannot be read as CSV: {str(error)[:200]}") from None
    if target not in frame.columns:
        known = ", ".join(map(str, frame.columns[:20]))
        hint = " Separate columns with commas." if len(frame.columns) == 1 else ""
        raise BadArtifact(f"{name} has no column {target!r}; its columns are: {known}.{hint}")
    rows = frame[frame[target].notna()]
    if rows.empty:
        raise BadArtifact(f"{name} has no row with a value in the column {target!r}; give some.")
    if len(frame.columns) < 2:
        raise BadArtifact(f"{name} has no column but {target!r}; give the features too.")
    return rows.drop(columns=[target]), rows[target]
