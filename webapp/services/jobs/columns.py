"""Columns of a file → rows of a version: found by name, coerced strictly, checked as every row is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

from webapp.errors import meant, pointer_token
from webapp.ml.schema import ABSENT, Checked, Feature, Schema, check_columns
from webapp.ml.schema.images import MOST_NUMBERS
from webapp.services.jobs.files import Chunk, How
from webapp.services.jobs.reading import CHUNK
from webapp.services.predictions import SUBJECT, SUBJECT_RULE
from webapp.wording import said

LONGEST_SHOWN = 40
#: Different texts of all columns whose values are remembered, and characters of one that is.
REMEMBERED, LONGEST_REMEMBERED = 200_000, 100
#: What people write for a value they do not have.
NOTHING = frozenset({"na", "n/a", "nan", "null", "none", "-", "?", "#n/a", "nil"})
USUAL = {".": re.compile(r"[0-9+\-.eE \n]*"), ",": re.compile(r"[0-9+\-,eE \n]*")}
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)


class Wrong(NamedTuple):
    """One thing wrong in a row: in which column (empty: the row as a whole), and what to do."""

    column: str
    detail: str


class Good(NamedTuple):
    """One row that can be predicted, and its place in the chunk."""

    place: int
    received: dict[str, Any]
    checked: Checked
    subject: str | None


@dataclass(slots=True)
class Sorted:
    """The rows of a chunk: those that can be predicted, and what is wrong with the others, by place."""

    good: list[Good] = field(default_factory=list)
    bad: dict[int, list[Wrong]] = field(default_factory=dict)


class Plan:
    """How the columns of one file become rows of one version."""

    def __init__(
        self, schema: Schema, names: Sequence[str], how: How, subject: str = "", *, strict: bool = False
    ) -> None:
        self.names = list(names)
        places = {name: i for i, name in enumerate(names)}
        self._schema = schema
        self._features = [(f, places.get(f.name)) for f in schema.features]
        self._coerce = [
            _coercer(f, how.decimal, min(10_000, REMEMBERED // len(schema.features)))
            if how.format == "csv"
            else None
            for f in schema.features
        ]
        #: Rows of a chunk, fewer where each becomes an image.
        self.most = max(1, min(CHUNK, MOST_NUMBERS // schema.image.size)) if schema.image else CHUNK
        self._subject = places.get(subject) if subject else None
        self._pointers = {f"#/{pointer_token(name)}": name for name in schema.names}
        asked = {*schema.names, subject}
        #: Columns that are no features; they are carried along into the result.
        self.carried = [name for name in names if name not in asked]
        #: Those in which a value makes a row bad, with their places.
        self._refused = [(name, places[name]) for name in self.carried] if strict else []
        #: Features without a column that may be missing, or have a default.
        self.left_out = [f.name for f, place in self._features if place is None and not _required(f)]
        #: What keeps the whole file from being used.
        self.problems = [_missing(f, names) for f, place in self._features if place is None and _required(f)]
        if subject and self._subject is None:
            hint = meant(subject, names)
            self.problems.append(
                said(
                    "There is no column “{name}” for the reference{hint}", name=subject[:60], hint=hint or "."
                )
            )

    def sort(self, chunk: Chunk) -> Sorted:
        """Coerce and check every row of a chunk."""
        n, wrong = len(chunk), dict[int, list[Wrong]]()
        for place, detail in chunk.broken.items():
            wrong.setdefault(place, []).append(Wrong("", detail))
        for name, at in self._refused:
            told = said("{name} is not a feature of this model; remove it{hint}", name=_quoted(name), hint="")
            for place, cell in enumerate(chunk.columns[at]):
                if cell is not ABSENT:
                    wrong.setdefault(place, []).append(Wrong(name, told))
        columns = [self._column(chunk, i, wrong) for i in range(len(self._features))]
        subjects = self._subjects(chunk, wrong)
        checked = check_columns(self._schema, columns)
        done = Sorted()
        whole = not any(ABSENT in c for c in columns)
        names = self._schema.names
        for i, (cells, check) in enumerate(zip(zip(*columns, strict=True), checked, strict=True)):
            if i in wrong or check.problems:
                done.bad[i] = self._told(i, wrong, check)
                continue
            received = dict(zip(names, cells, strict=True))
            if not whole:
                received = {name: cell for name, cell in received.items() if cell is not ABSENT}
            done.good.append(Good(i, received, check, subjects[i] if subjects else None))
        assert len(done.good) + len(done.bad) == n  # noqa: S101 - a row that is neither would be lost
        return done

    def _told(self, place: int, wrong: dict[int, list[Wrong]], check: Checked) -> list[Wrong]:
        told = list(wrong.get(place, ()))
        if broken := [w for w in told if not w.column]:
            return broken  # its cells mean nothing
        named = {w.column for w in told}
        for problem in check.problems:
            name = self._pointers.get(problem.pointer, problem.pointer.removeprefix("#/"))
            if name not in named:  # what could not be coerced is missing to the check
                told.append(Wrong(name, problem.detail))
        return told

    def _column(self, chunk: Chunk, number: int, wrong: dict[int, list[Wrong]]) -> Sequence[object]:
        feature, place = self._features[number]
        if place is None:
            return [ABSENT] * len(chunk)
        coerce = self._coerce[number]
        if coerce is None:
            return chunk.columns[place]
        values, failed = coerce(chunk.columns[place])  # type: ignore[arg-type]
        for i, detail in failed.items():
            wrong.setdefault(i, []).append(Wrong(feature.name, detail))
        return values

    def _subjects(self, chunk: Chunk, wrong: dict[int, list[Wrong]]) -> list[str | None] | None:
        if self._subject is None:
            return None
        subjects: list[str | None] = []
        for i, cell in enumerate(chunk.columns[self._subject]):
            text = "" if cell is None or cell is ABSENT else str(cell).strip()
            if text and not SUBJECT.fullmatch(text):
                wrong.setdefault(i, []).append(Wrong(self.names[self._subject], SUBJECT_RULE))
            subjects.append(text or None)
        return subjects


def _required(feature: Feature) -> bool:
    return not feature.nullable and feature.default is None


def _missing(feature: Feature, names: Sequence[str]) -> str:
    hint = meant(feature.name, names)
    return said(
        "There is no column “{name}”, which this model needs{hint}", name=feature.name, hint=hint or "."
    )


Coerce = Callable[[Sequence[str]], tuple[list[object], dict[int, str]]]


def _coercer(feature: Feature, decimal: str, remembered: int) -> Coerce:
    """Texts of a column → values, ABSENT where nothing is written, and by place what cannot be read."""
    read = _reader(feature, decimal)
    if feature.kind == "number" and not feature.choices:
        return lambda texts: _numbers(texts, decimal, read)
    known: dict[str, tuple[object, str]] = {"": (ABSENT, "")}

    def coerce(texts: Sequence[str]) -> tuple[list[object], dict[int, str]]:
        if len(known) > remembered:
            known.clear()
        return _each(texts, read, known)

    return coerce


def _numbers(
    texts: Sequence[str], decimal: str, read: Callable[[str], object]
) -> tuple[list[object], dict[int, str]]:
    # With no other signs in them, `float` reads exactly what DECIMAL allows.
    if USUAL[decimal].fullmatch("\n".join(texts)):
        try:
            plain = texts if decimal == "." else [t.replace(",", ".") for t in texts]
            values = list(map(float, plain))
            if isfinite(sum(values)):
                return values, {}  # type: ignore[return-value]
        except ValueError:
            pass
    return _each(texts, read, {})


def _each(
    texts: Sequence[str], read: Callable[[str], object], known: dict[str, tuple[object, str]]
) -> tuple[list[object], dict[int, str]]:
    values: list[object] = []
    failed: dict[int, str] = {}
    for i, text in enumerate(texts):
        answer = known.get(text)
        if answer is None:
            try:
                answer = read(text), ""
            except ValueError as error:
                answer = ABSENT, error.args[0]
            if len(text) <= LONGEST_REMEMBERED:
                known[text] = answer
        values.append(answer[0])
        if answer[1]:
            failed[i] = answer[1]
    return values, failed


def _quoted(name: str) -> str:
    return f"“{_shown(name)}”"


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _reader(feature: Feature, decimal: str) -> Callable[[str], object]:
    """One text → a value of the feature's kind, or ABSENT; ValueError with a sentence."""
    label = feature.label
    choices = {_written(c.value): c.value for c in feature.choices}
    numeric = {float(c.value): c.value for c in feature.choices if type(c.value) in (int, float)}

    def number(text: str) -> object:
        stripped = text.strip()
        if not stripped:
            return ABSENT
        plain = stripped.replace(",", ".") if decimal == "," and "." not in stripped else stripped
        if (decimal == "," and "." in stripped) or not DECIMAL.fullmatch(plain):
            raise ValueError(_no_number(label, stripped, decimal))
        if not isfinite(float(plain)):
            raise ValueError(said("{label} is too large; give a number below 1.8e308", label=label))
        return float(plain)

    def integer(text: str) -> object:
        stripped = text.strip()
        plain = stripped.replace(",", ".") if decimal == "," else stripped
        if not stripped:
            return ABSENT
        if not WHOLE.fullmatch(plain) or len(plain) > 40:
            if stripped.lower() in NOTHING:
                raise ValueError(_no_number(label, stripped, decimal))
            raise ValueError(
                said("{label} must be a whole number, not “{text}”", label=label, text=_shown(stripped))
            )
        return int(plain.partition(".")[0])

    def boolean(text: str) -> object:
        word = text.strip().lower()
        if word not in ("true", "false", ""):
            raise ValueError(
                said("{label} must be true or false, not “{text}”", label=label, text=_shown(text.strip()))
            )
        return {"true": True, "false": False, "": ABSENT}[word]

    def chosen(text: str) -> object:
        if not text.strip():
            return ABSENT
        if text in choices:
            return choices[text]
        if numeric and DECIMAL.fullmatch(text.strip()) and float(text) in numeric:
            return numeric[float(text)]  # a whole number that was written with .0
        return text

    def choice_or_number(text: str) -> object:
        value = chosen(text)
        return number(text) if isinstance(value, str) else value

    def plain_text(text: str) -> object:
        return text or ABSENT

    if feature.kind in ("number", "integer") and feature.choices:
        return choice_or_number
    return {
        "number": number,
        "integer": integer,
        "boolean": boolean,
        "category": chosen,
        "text": plain_text,
        "image": plain_text,
    }[feature.kind]


def _no_number(label: str, text: str, decimal: str) -> str:
    if text.lower() in NOTHING:
        return said(
            "{label} must be a number, not “{text}”; write nothing where a value is missing",
            label=label,
            text=_shown(text),
        )
    if decimal == "," and "." in text:
        return said(
            "{label} must be a number with a comma for decimals, not “{text}”; leave out points",
            label=label,
            text=_shown(text),
        )
    if decimal == "." and DECIMAL.fullmatch(text.replace(",", ".")):
        return said(
            "{label} must be a number with a point for decimals, not “{text}”", label=label, text=_shown(text)
        )
    return said("{label} must be a number, not “{text}”", label=label, text=_shown(text))


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
