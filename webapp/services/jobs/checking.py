"""The first pass over a file: every row is checked, nothing is predicted."""

from __future__ import annotations

import csv
import re
import time
from pathlib import Path
from typing import Any

import orjson

from webapp.errors import printable
from webapp.ml.schema import Schema
from webapp.services import registry
from webapp.services.cells import safe
from webapp.services.desk import Desk
from webapp.services.jobs import reading
from webapp.services.jobs.columns import Plan
from webapp.services.jobs.files import OF_A_FILE, Chunk, GoOn, How, Unreadable, blame
from webapp.services.jobs.results import as_json, problem_lines
from webapp.services.jobs.rows import JobView, move
from webapp.services.jobs.sniffing import sniff
from webapp.services.people import Actor
from webapp.wording import Said, pack, said

#: Problems that the page lists, kinds that it counts, and those that are written down for download.
SHOWN, KINDS, LISTED = 200, 100, 100_000
PREVIEWED = 10
LONGEST_CELL = 60
SECONDS = 0.7
VARIABLE = re.compile(r"“[^”]*”|[-+]?\d[\d.,e+-]*")


class Findings:
    """What is wrong, counted by column and kind; the rest of what a page needs to know of the file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["row", "line", "column", "problem"])
        self.rows = self.bad = self.total = 0
        self.first: list[list[Any]] = []
        self.kinds: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, problem: tuple[int, int, str, str]) -> None:
        """Count one problem, and list it as long as there is room."""
        row, line, column, detail = problem
        self.total += 1
        if self.total <= LISTED:
            self._writer.writerow([row, line, safe(printable(column)), safe(printable(detail))])
        if len(self.first) < SHOWN:
            self.first.append([row, line, column, pack(detail)])
        key = column, kind(detail)
        if key in self.kinds or len(self.kinds) < KINDS:
            found = self.kinds.setdefault(
                key, {"column": column, "detail": pack(detail), "rows": [], "count": 0}
            )
            found["count"] += 1
            if len(found["rows"]) < 5:
                found["rows"].append(row)

    def close(self) -> None:
        """Finish the list."""
        self._file.close()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        kinds = sorted(self.kinds.values(), key=lambda k: -k["count"])
        return {"total": self.total, "listed": min(self.total, LISTED), "first": self.first, "kinds": kinds}


def kind(text: str) -> str:
    """The same for sentences that differ in their values only."""
    return text.template if isinstance(text, Said) else VARIABLE.sub("…", text)


def plan_of(desk: Desk, actor: Actor | None, job: JobView, how: How, names: list[str]) -> Plan:
    """How the file of a job becomes rows of its version; raises NotFound, NotReady."""
    schema = registry.describe(desk.store, job.model, job.version, actor=actor).schema
    return _plan(schema, names, how, job)


def _plan(schema: Schema, names: list[str], how: How, job: JobView) -> Plan:
    strict = job.options.get("unknown") == "refuse"
    return Plan(schema, names, how, job.options.get("subject", ""), strict=strict)


def check(desk: Desk, actor: Actor, job: JobView, go_on: GoOn) -> dict[str, Any]:
    """Look at every row of the file; returns the findings. `go_on` is called every so often and may raise.

    Raises Unreadable for a file that cannot be used at all, Outrun, NotFound, NotReady.
    """
    folder = desk.workshop.job(job.id)
    upload = folder / "upload"
    schema = registry.describe(desk.store, job.model, job.version, actor=actor).schema
    how = sniff(upload, job.file_name, job.options, schema)
    names = reading.heading(upload, how, go_on)
    plan = _plan(schema, names, how, job)
    preview = _preview(next(reading.chunks(upload, how, names, size=PREVIEWED, go_on=go_on), None))
    about = {
        "how": how.to_dict(),
        "names": names,
        "classes": [c.label for c in schema.output.classes] if _shares(schema) else [],
        "carried": plan.carried,
        "left_out": plan.left_out,
        "preview": preview,
    }
    if plan.problems:
        move(job, findings=orjson.dumps(about).decode())
        raise Refusal(plan.problems)
    written = folder / f"problems-{job.attempt}.csv"
    found = Findings(written)
    try:
        _check_rows(job, upload, how, plan, found, go_on)
    finally:
        found.close()
    if not found.rows:
        raise Unreadable(said("There is a heading and no row under it; add some."))
    written.replace(folder / "problems.csv")
    return {**about, **found.to_dict(), "rows": found.rows, "bad": found.bad}


def _shares(schema: Schema) -> bool:
    """Whether an answer has a probability of every class; a ranking names its first items instead."""
    return schema.output.probabilities and schema.output.kind == "classification"


class Refusal(Unreadable):
    """Several reasons why a file cannot be used."""

    def __init__(self, details: list[str]) -> None:
        super().__init__(details[0])
        self.details = details


def _check_rows(job: JobView, upload: Path, how: How, plan: Plan, found: Findings, go_on: GoOn) -> None:
    due = time.monotonic() + SECONDS
    for chunk in reading.chunks(upload, how, plan.names, size=plan.most, go_on=go_on):
        go_on()
        try:
            _note(found, chunk, plan)
        except OF_A_FILE as error:  # neither the database nor the model has a part in it
            raise blame(error, chunk.first - 1) from error
        if time.monotonic() > due:
            move(job, n_rows=found.rows, bad_rows=found.bad)
            due = time.monotonic() + SECONDS


def _note(found: Findings, chunk: Chunk, plan: Plan) -> None:
    rows = plan.sort(chunk)
    for problem in problem_lines(chunk, rows):
        found.add(problem)
    found.rows += len(chunk)
    found.bad += len(rows.bad)


def _preview(chunk: Chunk | None) -> list[list[Any]]:
    """The first rows as read: the line each begins on, then its cells."""
    if chunk is None:
        return []
    rows = zip(chunk.lines, zip(*chunk.columns, strict=True), strict=True)
    return [[line, *(_shown(cell) for cell in cells)] for line, cells in rows]


def _shown(cell: object) -> str | None:
    if not isinstance(cell, (str, int, float, bool, list, dict)):
        return None
    text = cell if isinstance(cell, str) else as_json(cell)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
