"""A table as the body of one request, CSV or Parquet, read in the way of the files of batches."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from webapp.errors import InvalidInput, Malformed, Problem, TooLarge, UnsupportedMedia, pointer_token
from webapp.ml.schema import Schema
from webapp.services import jobs
from webapp.services.desk import Desk
from webapp.services.jobs import reading
from webapp.services.jobs.columns import Plan, Sorted
from webapp.services.jobs.files import How, Unreadable
from webapp.wording import said

#: Of all texts together: a few bytes of Parquet can say a thousand times that one is as long as may be.
MOST_CHARACTERS = 16 * 2**20


class Table(NamedTuple):
    """Rows that hold nothing but features, and the columns that are none."""

    rows: list[dict[str, Any]]
    unused: list[str]


def read(desk: Desk, data: bytes, format: str, schema: Schema) -> Table:
    """The rows of a table in `format` ("csv", with a heading, in UTF-8; or "parquet"), by the names of its columns.

    Raises InvalidInput, with what is wrong in the first rows that something is wrong in; Malformed, TooLarge,
    UnsupportedMedia where Parquet cannot be read here, and NotReady where there is no room for it.
    """
    if format == "parquet" and find_spec("pyarrow") is None:
        raise UnsupportedMedia(
            said("This server cannot read Parquet, because pyarrow is not installed; send CSV or JSON.")
        )
    folder = desk.workshop.incoming
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(data)
            file.flush()
            return _read(desk, Path(file.name), How(format), schema)
    except Unreadable as error:
        raise Malformed(error.detail) from error
    except OSError as error:
        raise jobs.not_kept() from error


def _read(desk: Desk, path: Path, how: How, schema: Schema) -> Table:
    names = reading.heading(path, how)
    plan = Plan(schema, names, how)
    if plan.problems:
        raise InvalidInput([Problem("#", detail) for detail in plan.problems])
    rows: list[dict[str, Any]] = []
    texts = 0
    for chunk in reading.chunks(path, how, names, size=plan.most):
        if len(rows) + len(chunk) > desk.max_rows:
            raise TooLarge(
                said("One request may hold {most} rows; split it, or send a batch.", most=desk.max_rows)
            )
        found = plan.sort(chunk)
        if found.bad:
            raise InvalidInput(_problems(found, len(rows)))
        rows += [row.received for row in found.good]
        texts += sum(len(v) for row in found.good for v in row.received.values() if type(v) is str)
        if texts > MOST_CHARACTERS:
            raise TooLarge(
                said("The texts of one request may have {most} characters; split it.", most=MOST_CHARACTERS)
            )
    return Table(rows, plan.carried)


def _problems(found: Sorted, before: int) -> list[Problem]:
    return [
        Problem(f"#/instances/{before + place}{'/' + pointer_token(w.column) if w.column else ''}", w.detail)
        for place, wrong in sorted(found.bad.items())
        for w in wrong
    ]
