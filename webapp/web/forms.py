"""The form of a model, built from its schema. What is typed is coerced strictly, or refused with a sentence."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from math import isfinite
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import Field, SelectChoice, SelectField, StringField
from wtforms.form import BaseForm
from wtforms.widgets import TextArea, TextInput

from webapp.errors import Problem, pointer_token
from webapp.ml.schema import Feature, Schema

MOST_OPTIONS = 30
TOKEN, SUBJECT, ONCE = "csrf_token", "record-subject", "form-id"
RESERVED = frozenset({TOKEN, SUBJECT, ONCE})
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)
BREAKS = re.compile(r"[\r\n]+")

Value = float | int | bool | str | None


class ModelForm:
    """One field a feature, named like the feature (or `feature-…` where the page needs the name itself)."""

    def __init__(self, schema: Schema, posted: MultiDict[str, str] | None = None) -> None:
        self._schema = schema
        self.names = dict(zip(schema.names, _field_names(schema.names), strict=True))
        self._form = BaseForm({self.names[f.name]: _field(f) for f in schema.features})
        typed = MultiDict[str, str]() if posted is None else posted
        self.subject = typed.get(SUBJECT, "").strip()
        self.once = typed.get(ONCE, "")[:64] or secrets.token_urlsafe(16)
        self.problems: dict[str, str] = {}
        self.row: dict[str, Value] = {}
        if posted is not None:
            self._form.process(formdata=posted)

    def fill(self, row: Mapping[str, Any]) -> None:
        """Show the values of a row; what is not among them stays empty."""
        kept = {name: _typed(row.get(name)) for name in self.names}
        self._form.process(formdata=MultiDict({self.names[n]: text for n, text in kept.items() if text}))

    def valid(self) -> bool:
        """Coerce what was typed into `row` and check it, collecting every problem."""
        for feature in self._schema.features:
            text = self._text(feature)
            try:
                if text:
                    self.row[feature.name] = COERCE[feature.kind](feature, text)
                elif feature.kind == "boolean" and not feature.nullable and feature.default is None:
                    raise ValueError(f"{feature.label} is required; choose {_yes_or_no(feature)}")
            except ValueError as error:
                self.problems[feature.name] = str(error)
        self.refuse(p for p in self._schema.check(self.row).problems)
        return not self.problems

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Put problems beside the fields they point to, unless one stands there already."""
        pointers = {f"#/inputs/{pointer_token(name)}": name for name in self.names}
        for problem in problems:
            name = pointers.get(problem.pointer, problem.pointer.removeprefix("#/"))
            self.problems.setdefault(name, problem.detail)

    def rows(self) -> list[tuple[Feature, Field]]:
        """Each feature with its field, in the schema's order."""
        return [(f, self._form[self.names[f.name]]) for f in self._schema.features]

    def summary(self) -> list[tuple[str, str]]:
        """Every problem with the address of its field on the page, in the order of the fields."""
        order = {name: i for i, name in enumerate(self.names)}
        listed = sorted(self.problems.items(), key=lambda found: order.get(found[0], len(order)))
        words = {"subject": f"The reference {self.problems.get('subject')}"}
        return [(f"#f{order[n]}" if n in order else f"#{n}", words.get(n, text)) for n, text in listed]

    def fingerprint(self) -> str:
        """The same for the same values from the same page: a second click is not a second prediction."""
        said = repr((self.once, self.subject, sorted(self.row.items())))
        return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    def _text(self, feature: Feature) -> str:
        given = self._form[self.names[feature.name]].raw_data or [""]
        text = str(given[0]).replace("\r\n", "\n")
        return text if feature.kind in ("text", "category") else text.strip()


def _field_names(names: tuple[str, ...]) -> list[str]:
    taken = set(names) | RESERVED
    fields = []
    for name in names:
        field = BREAKS.sub(" ", name)  # a browser would send another break than the one it was given
        while field in RESERVED or (field != name and field in taken):
            field = f"feature-{field}"
        taken.add(field)
        fields.append(field)
    return fields


def _field(feature: Feature) -> Any:
    options = _options(feature)
    if options and (feature.closed or feature.kind == "boolean" or len(options) <= MOST_OPTIONS):
        return SelectField(feature.label, choices=[SelectChoice(""), *options], validate_choice=False)
    if feature.kind == "text":
        return StringField(feature.label, widget=TextArea())
    return StringField(feature.label, widget=TextInput())


def _options(feature: Feature) -> list[SelectChoice]:
    if feature.kind == "boolean":
        labels = {c.value: c.label for c in feature.choices}
        return [SelectChoice("true", labels.get(True, "Yes")), SelectChoice("false", labels.get(False, "No"))]
    return [SelectChoice(_typed(c.value), c.label) for c in feature.choices]


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value)


def _decimal(feature: Feature, text: str) -> float:
    if not DECIMAL.fullmatch(text):
        hint = f"; write {text.replace(',', '.')}" if DECIMAL.fullmatch(text.replace(",", ".")) else ""
        raise ValueError(f"{feature.label} must be a number with a point for decimals{hint}")
    if not isfinite(float(text)):
        raise ValueError(f"{feature.label} is too large; give a number below 1.8e308")
    return float(text)


def _number(feature: Feature, text: str) -> Value:
    return _chosen(feature, text) if feature.choices else _decimal(feature, text)


def _integer(feature: Feature, text: str) -> Value:
    if feature.choices:
        return _chosen(feature, text)
    if not WHOLE.fullmatch(text) or len(text) > 40:
        raise ValueError(f"{feature.label} must be a whole number, in digits only")
    return int(text.partition(".")[0])


def _boolean(feature: Feature, text: str) -> Value:
    if text not in ("true", "false"):
        raise ValueError(f"{feature.label} must be {_yes_or_no(feature)}")
    return text == "true"


def _yes_or_no(feature: Feature) -> str:
    return " or ".join(option.label or "" for option in _options(feature))


def _chosen(feature: Feature, text: str) -> Value:
    """The choice's own value where the text names one; numbers that are not among them stay numbers."""
    known = {_typed(c.value): c.value for c in feature.choices}
    if text in known:
        return known[text]
    return text if feature.kind == "category" else _decimal(feature, text)


COERCE: dict[str, Callable[[Feature, str], Value]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "category": _chosen,
    "text": lambda _feature, text: text,
}
