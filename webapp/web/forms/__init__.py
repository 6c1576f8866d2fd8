"""The form of a model, built from its schema. What is typed is coerced strictly, or refused with a sentence."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from werkzeug.datastructures import FileStorage, MultiDict
from wtforms import StringField
from wtforms.form import BaseForm

from webapp.errors import Problem, pointer_token
from webapp.ml.schema import Feature, Schema
from webapp.web.forms.fields import FormField
from webapp.web.forms.groups import grouped
from webapp.web.forms.notation import Notation
from webapp.web.languages import LANGUAGES, decimal_sign
from webapp.wording import said

TOKEN, SUBJECT, ONCE = "csrf_token", "record-subject", "form-id"
#: The language that says how numbers are typed, the version that the page was made for, the record it showed.
LANGUAGE, VERSION, BEFORE = "form-language", "form-version", "form-before"
#: Which button was pressed, a row copied from elsewhere.
MODE, PASTED = "form-mode", "form-pasted"
RESERVED = frozenset({TOKEN, SUBJECT, ONCE, LANGUAGE, VERSION, BEFORE, MODE, PASTED})
WHAT_IF = "what-if"
BREAKS = re.compile(r"[\r\n]+")

Value = float | int | bool | str | None


class ModelForm:
    """One field a feature, named like the feature (or `feature-…` where the page needs the name itself).

    `language` says how numbers are typed, unless what was posted says in which language it was typed. An image comes
    among the `files`, or as the text that the form had kept of it.
    """

    def __init__(
        self,
        schema: Schema,
        posted: MultiDict[str, str] | None = None,
        language: str = "en",
        files: Mapping[str, FileStorage] | None = None,
    ) -> None:
        self._schema = schema
        self._places = {name: f"f{i}" for i, name in enumerate(schema.names)}
        self.names = dict(zip(schema.names, _field_names(schema.names), strict=True))
        self._form = BaseForm({name: StringField() for name in self.names.values()})
        typed = MultiDict[str, str]() if posted is None else posted
        self.language = typed[LANGUAGE] if typed.get(LANGUAGE) in LANGUAGES else language
        self.notation = Notation(decimal_sign(self.language))
        self.subject = typed.get(SUBJECT, "").strip()
        self.once = typed.get(ONCE, "")[:64] or secrets.token_urlsafe(16)
        self.version, self.before = typed.get(VERSION, ""), typed.get(BEFORE, "")
        self.what_if = typed.get(MODE) == WHAT_IF
        #: By feature; and by the other members of a request, as `subject`, which may be the name of a feature too.
        self.problems: dict[str, str] = {}
        self.besides: dict[str, str] = {}
        self.row: dict[str, Value] = {}
        if posted is not None:
            self._form.process(formdata=self._with_files(posted, files or {}))
        self.strangers = {n: t for n, t in typed.items() if t and n not in RESERVED and n not in self._form}

    def fill(self, row: Mapping[str, Any]) -> None:
        """Show the values of a row; what is not among them stays empty."""
        self.put({name: self.notation.write(row.get(name)) for name in self.names})

    def put(self, texts: Mapping[str, str]) -> None:
        """Have the fields of some features hold these texts, as if they had been typed."""
        held = {feature.name: self._text(feature) for feature in self._schema.features} | dict(texts)
        self._form.process(formdata=MultiDict({self.names[n]: text for n, text in held.items() if text}))

    def valid(self) -> bool:
        """Coerce what was typed into `row` and check it, collecting every problem."""
        self._coerce(self._schema.features)
        if self._schema.image is not None and self.row:
            return not self.problems and not self.besides  # the service decodes it, off the event loop
        for feature in self._schema.features:
            required = not feature.nullable and feature.default is None
            if feature.kind == "boolean" and required and not self._text(feature):
                yes, no = self._field(feature).options
                self.problems[feature.name] = said(
                    "{feature} is required; choose {one} or {other}",
                    feature=feature.label,
                    one=yes.label,
                    other=no.label,
                )
        self.refuse(self._schema.check(self.row).problems)
        return not self.problems and not self.besides

    def look_over(self) -> None:
        """Note what is wrong with what the fields hold; empty ones are left for later."""
        filled = [f for f in self._schema.features if self._text(f) and f.kind != "image"]
        self._coerce(filled)
        given = {f"#/inputs/{pointer_token(f.name)}" for f in filled}
        self.refuse(p for p in self._schema.check(self.row).problems if p.pointer in given)

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Put problems beside the fields they point to, unless one stands there already."""
        pointers = {f"#/inputs/{pointer_token(name)}": name for name in self.names}
        for problem in problems:
            if name := pointers.get(problem.pointer):
                self.problems.setdefault(name, problem.detail)
            else:
                self.besides.setdefault(problem.pointer.removeprefix("#/"), problem.detail)

    def groups(self) -> list[tuple[str, list[FormField]]]:
        """The fields as they stand on the page: (heading, fields); no heading, no group."""
        return [(heading, [self._field(f) for f in some]) for heading, some in grouped(self._schema.features)]

    def fields(self) -> list[FormField]:
        """The fields in the order of the schema."""
        return [self._field(feature) for feature in self._schema.features]

    def summary(self) -> list[tuple[str, str]]:
        """Every problem with the address of its field on the page, in the order of the fields there."""
        if not self.problems and not self.besides:
            return []
        places = [(f.feature.name, f"#{f.id}") for _, fields in self.groups() for f in fields]
        listed = [(address, self.problems[name]) for name, address in places if name in self.problems]
        if problem := self.besides.get("subject"):
            listed.append(("#subject", said("The reference {problem}", problem=problem)))
        return listed + [(f"#{word}", text) for word, text in self.besides.items() if word != "subject"]

    def fingerprint(self) -> str:
        """The same for the same values from the same page: a second click is not a second prediction."""
        values = repr((self.once, self.subject, self.what_if, sorted(self.row.items())))
        return sha256(values.encode("utf-8", "surrogatepass")).hexdigest()

    def read(self, feature: Feature, text: str) -> Value:
        """The feature's value that a text stands for. Raises ValueError with a sentence."""
        return COERCE[feature.kind](feature, text, self.notation)

    def _coerce(self, features: Iterable[Feature]) -> None:
        for feature in features:
            text = self._text(feature)
            try:
                if text:
                    self.row[feature.name] = self.read(feature, text)
            except ValueError as error:
                self.problems[feature.name] = error.args[0]

    def _with_files(
        self, posted: MultiDict[str, str], files: Mapping[str, FileStorage]
    ) -> MultiDict[str, str]:
        """What was posted; a file that was chosen takes the place of the one the form had before."""
        held = MultiDict(posted)
        for name in self.names.values() if self._schema.image else ():
            if name in files:
                with files[name].stream as stream:
                    data = stream.read()
                held[name] = b64encode(data).decode() if data else held.get(name, "")
        return held

    def _field(self, feature: Feature) -> FormField:
        name = feature.name
        problem = self.problems.get(name, "")
        return FormField(
            feature, self.notation, self.names[name], self._places[name], self._text(feature), problem
        )

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


def _number(feature: Feature, text: str, notation: Notation) -> Value:
    return _chosen(feature, text, notation) if feature.choices else notation.number(feature.label, text)


def _integer(feature: Feature, text: str, notation: Notation) -> Value:
    return _chosen(feature, text, notation) if feature.choices else notation.integer(feature.label, text)


def _boolean(feature: Feature, text: str, notation: Notation) -> Value:
    labels = {c.label: c.value for c in feature.choices}
    if text in labels:
        return labels[text]
    if text not in ("true", "false"):
        yes, no = (option.label for option in FormField(feature, notation, "", "").options)
        raise ValueError(said("{feature} must be {yes} or {no}", feature=feature.label, yes=yes, no=no))
    return text == "true"


def _chosen(feature: Feature, text: str, notation: Notation) -> Value:
    """The choice's own value where the text names one; numbers that are not among them stay numbers."""
    known = {notation.write(c.value): c.value for c in feature.choices}
    if text in known:
        return known[text]
    meant = [c.value for c in feature.choices if c.label == text]
    if not meant and feature.closed:
        meant = [
            c.value
            for c in feature.choices
            if text.casefold() in (c.label.casefold(), str(c.value).casefold())
        ]
    if len(meant) == 1:
        return meant[0]
    return text if feature.kind == "category" else notation.number(feature.label, text)


COERCE: dict[str, Callable[[Feature, str, Notation], Value]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "category": _chosen,
    "text": lambda _feature, text, _notation: text,
    "image": lambda _feature, text, _notation: text,
}
