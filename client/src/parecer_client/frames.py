"""Many rows at once, and answers as tables."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, NamedTuple

import pandas as pd

from parecer_client import progress, rows
from parecer_client.errors import InvalidInput, Problem, TooLarge
from parecer_client.transport import Transport, part

#: Requests under way at once: more would only wait for each other.
LANES = 4
#: Of records, for one page of the history.
PAGE = 100
#: Members of a record that become columns under names of their own.
SPREAD = {"inputs": "input_", "probabilities": "probability_"}
#: What only a single record is asked for: the row as the model got it, and how long each stage took.
LEFT_OUT = ("used", "timings_us")
TIMES = ("created_at", "finished_at")
#: Of a history without records.
FIRST = ("id", "model", "version", "prediction", "label", "warnings", "subject", "user", "created_at")


class Question(NamedTuple):
    """What is the same for all rows of a frame; without `version` the desk decides whose turn it is, row by row."""

    model: str
    version: str | None
    on_error: str


class Batch(NamedTuple):
    """Rows of one request: their places in the frame, as JSON, and whom they are about."""

    places: list[int]
    rows: list[dict[str, Any]]
    subject: str | None


def predict(
    transport: Transport,
    question: Question,
    frame: pd.DataFrame,
    subject: str | Sequence[Any] | None,
    chunk: int,
    shown: bool,
) -> pd.DataFrame:
    """The answers, one a row of `frame` and with its index; see `Client.predict_frame`."""
    if question.on_error not in ("all", "row"):
        raise ValueError('on_error is "all" or "row"')
    if chunk < 1:
        raise ValueError("chunk is the number of rows in one request, 1 or more")
    query = {} if question.version is None else {"version": question.version}
    described = transport.get(f"/models/{part(question.model)}", query)
    answers: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    readable = _readable(frame, described["schema"], question.on_error, answers)
    batches = list(_batches(readable, _subjects(frame, subject), chunk))
    named = question.model if question.version is None else f"{question.model} {question.version}"
    with progress.bar(len(frame), named, shown=shown, unit="row") as bar:
        bar.update(len(frame) - len(readable))
        for batch, made in _all(batches, lambda batch: _ask(transport, question, batch)):
            for place, answer in zip(batch.places, made, strict=True):
                answers[place] = answer
            bar.update(len(made))
    return _table(answers, frame.index, described["schema"]["output"], question.on_error)


def history(transport: Transport, filters: Mapping[str, Any], limit: int | None, shown: bool) -> pd.DataFrame:
    """Records, newest first, one a row; see `Client.history`."""
    records: list[dict[str, Any]] = []
    query = {word: _word(value) for word, value in filters.items() if value is not None}
    if limit is not None and limit < 1:
        raise ValueError("limit is how many records at most, 1 or more; None is all of them")
    with progress.bar(
        limit or 0, "history", shown=shown and (limit is None or limit > PAGE), unit="record"
    ) as bar:
        more: str | None = ""
        while more is not None and (limit is None or len(records) < limit):
            size = PAGE if limit is None else min(PAGE, limit - len(records))
            page = transport.get("/predictions", query | {"limit": size} | ({"cursor": more} if more else {}))
            records += page["data"]
            more = page["next_cursor"]
            bar.update(len(page["data"]))
        progress.fill(bar)
    return _ledger(records)


def _readable(
    frame: pd.DataFrame, schema: Mapping[str, Any], on_error: str, answers: list[dict[str, Any]]
) -> dict[int, dict[str, Any]]:
    """Place to row as JSON; a row that cannot be sent is answered here, or refuses all."""
    kinds = rows.kinds(schema)
    named = frame.set_axis([str(name) for name in frame.columns], axis=1)
    _refuse_columns(list(named.columns), schema["features"])
    known = [name for name in kinds if name in named.columns]
    sent, stopped = {}, []
    columns = [named[name].tolist() for name in known]
    for place, values in enumerate(zip(*columns, strict=True)):
        row, problems = rows.readable(dict(zip(known, values, strict=True)), kinds)
        if problems:
            answers[place] = {"errors": [problem._asdict() for problem in problems]}
            stopped += [Problem(f"{place}/{p.field}", p.detail) for p in problems]
        else:
            sent[place] = row
    if stopped and on_error == "all":
        raise InvalidInput("Some values cannot be sent; nothing was predicted:", problems=stopped)
    return sent


def _refuse_columns(columns: list[str], features: Sequence[Mapping[str, Any]]) -> None:
    """Other columns are left out; a feature that must be there is missed before anything is sent."""
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise ValueError(f"The frame has two columns {twice[0]!r}.")
    names = [feature["name"] for feature in features]
    others = [name for name in columns if name not in names]
    lacking = []
    for feature in features:
        name = feature["name"]
        if name not in columns and not feature["nullable"] and feature["default"] is None:
            near = difflib.get_close_matches(name, others, 1)
            lacking.append(f"{name!r}" + (f" (is it {near[0]!r}?)" if near else ""))
    if lacking:
        raise ValueError(
            f"The frame lacks {', '.join(lacking)}; the model's features are: {', '.join(names)}."
        )


def _subjects(frame: pd.DataFrame, subject: str | Sequence[Any] | None) -> list[str | None]:
    if subject is None:
        return [None] * len(frame)
    if isinstance(subject, str):
        if subject not in frame.columns:
            raise ValueError(f"The frame has no column {subject!r} for the subject.")
        subject = frame[subject].tolist()
    if len(subject) != len(frame):
        raise ValueError(f"There are {len(subject)} subjects for {len(frame)} rows; give one for each.")
    whom = [rows.plain(value) for value in subject]
    whole = (int(value) if isinstance(value, float) and value.is_integer() else value for value in whom)
    return [None if value is None else str(value) for value in whole]


def _batches(
    sent: Mapping[int, dict[str, Any]], subjects: Sequence[str | None], chunk: int
) -> Iterator[Batch]:
    """A request has one subject, so rows about the same one go together."""
    by_subject: dict[str | None, list[int]] = {}
    for place in sent:
        by_subject.setdefault(subjects[place], []).append(place)
    for whom, places in by_subject.items():
        for start in range(0, len(places), chunk):
            some = places[start : start + chunk]
            yield Batch(some, [sent[place] for place in some], whom)


def _all(
    batches: Sequence[Batch], ask: Callable[[Batch], list[dict[str, Any]]]
) -> Iterator[tuple[Batch, list[dict[str, Any]]]]:
    """Every batch with its answers; after a failure, or Ctrl-C, those that were not begun are left."""
    lanes = ThreadPoolExecutor(LANES, "parecer")
    try:
        yield from zip(batches, lanes.map(ask, batches), strict=True)
    finally:
        lanes.shutdown(wait=True, cancel_futures=True)


def _ask(transport: Transport, question: Question, batch: Batch) -> list[dict[str, Any]]:
    body: dict[str, Any] = {
        "instances": batch.rows,
        "on_error": question.on_error,
        **({"version": question.version} if question.version is not None else {}),
        **({"subject": batch.subject} if batch.subject is not None else {}),
    }
    try:
        made = transport.post(f"/models/{part(question.model)}/predict", body, once=True)
        answers: list[dict[str, Any]] = made["predictions"]
        return answers
    except TooLarge:
        half = len(batch.rows) // 2
        if not half:
            raise
        first = Batch(batch.places[:half], batch.rows[:half], batch.subject)
        second = Batch(batch.places[half:], batch.rows[half:], batch.subject)
        return _ask(transport, question, first) + _ask(transport, question, second)
    except InvalidInput as error:
        error.problems = [_in_frame(problem, batch.places) for problem in error.problems]
        raise


def _in_frame(problem: Problem, places: Sequence[int]) -> Problem:
    """`#/instances/3/age` of a request, as the row of the frame that it was."""
    _, word, *rest = [*problem.pointer.split("/"), ""]
    if word != "instances" or not rest[0].isdigit():
        return problem
    return Problem("/".join([str(places[int(rest[0])]), *rest[1:-1]]), problem.detail)


def _table(
    answers: Sequence[Mapping[str, Any]], index: pd.Index[Any], output: Mapping[str, Any], on_error: str
) -> pd.DataFrame:
    shares = [answer.get("probabilities") or {} for answer in answers]
    labels = [choice["label"] for choice in output["classes"]] if output["probabilities"] else []
    labels = list(dict.fromkeys(chain(labels, *shares)))  # another version may have others
    columns: dict[str, Any] = {"prediction": [answer.get("prediction") for answer in answers]}
    floats = [f"probability_{label}" for label in labels]
    if output["kind"] == "regression":
        floats.append("prediction")
    else:
        columns["label"] = [answer.get("label") for answer in answers]
    columns |= {f"probability_{label}": [share.get(label) for share in shares] for label in labels}
    columns["warnings"] = ["; ".join(w["detail"] for w in answer.get("warnings", ())) for answer in answers]
    columns["version"] = [answer.get("version") for answer in answers]
    columns["record"] = [answer.get("id") for answer in answers]
    if on_error == "row":
        columns["error"] = ["; ".join(e["detail"] for e in answer.get("errors", ())) for answer in answers]
    table = pd.DataFrame(columns, index=index)
    return table.astype(dict.fromkeys(floats, "float64"))


def _ledger(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    lines = []
    for record in records:
        line = {name: value for name, value in record.items() if name not in (*SPREAD, *LEFT_OUT)}
        line["warnings"] = "; ".join(warning["detail"] for warning in record["warnings"] or ())
        for member, prefix in SPREAD.items():
            line |= {f"{prefix}{name}": value for name, value in (record[member] or {}).items()}
        lines.append(line)
    table = pd.DataFrame(lines, columns=None if lines else list(FIRST))
    for name in TIMES:
        if name in table:
            table[name] = pd.to_datetime(table[name], format="ISO8601", utc=True)
    return table


def _word(value: Any) -> Any:
    """A filter as the address has it."""
    value = rows.plain(value)
    return ("no", "yes")[value] if isinstance(value, bool) else value
