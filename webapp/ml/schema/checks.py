"""Row checks, prepared once per schema so that a usual row costs a few comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Final, NamedTuple

from webapp.errors import UNUSABLE, Problem, meant, pointer_token, printable
from webapp.ml.schema.features import Choice, Feature, Scalar, Warning, WarningKind

ABSENT: Final = object()
LARGEST_INTEGER: Final = 2**53  # beyond it a float no longer holds every integer
#: Engines compute in single precision, which ends at 3.4e38: this leaves room for their sums and products.
LARGEST_NUMBER: Final = 1e30
_SHOWN = 40
_NAMED = 100
_GUESSES = 20  # looking for near misses is slow; a row with more strangers is no typing error


@dataclass(slots=True)
class Found:
    """What the checks of one row have to say."""

    pointer: str
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Warning] = field(default_factory=list)
    defaulted: list[str] = field(default_factory=list)

    def refuse(self, name: str, detail: str) -> None:
        self.problems.append(Problem(f"{self.pointer}/{pointer_token(name)}", detail))


Judge = Callable[[object, Found], Scalar]


class Step(NamedTuple):
    """A float within low..high needs no judge; an empty interval sends every value there."""

    name: str
    low: float
    high: float
    judge: Judge


class _Refused(Exception):
    """The value can not be used; the message tells the sender what to do."""


def shown(value: object) -> str:
    """The value in a message: short, and safe to encode."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "that number"  # python refuses to print integers of thousands of digits
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = printable(f"“{value[:_SHOWN]}”" if isinstance(value, str) else repr(value)[:_SHOWN])
    return text if not isinstance(value, str) or len(value) <= _SHOWN else text[:-1] + "…”"


def plain(number: float) -> str:
    """12 significant digits at most, without a trailing .0."""
    return f"{number:.12g}"


def step(feature: Feature) -> Step:
    """The prepared check of one feature."""
    low, high = _quick_interval(feature)
    return Step(feature.name, low, high, _judge(feature))


def unknown(names: Iterable[str], known: tuple[str, ...], found: Found) -> None:
    """Refuse what is not a feature; a near miss names the feature that was meant."""
    strangers = list(names)
    for n, name in enumerate(strangers[:_NAMED]):
        text = name if isinstance(name, str) else str(name)
        hint = meant(text, known) if n < _GUESSES else ""
        found.refuse(text, f"{shown(text)} is not a feature of this model; remove it{hint}")
    if len(strangers) > _NAMED:
        more = f"holds {len(strangers) - _NAMED} more names that are no features of this model; remove them"
        found.problems.append(Problem(found.pointer, more))


def _quick_interval(feature: Feature) -> tuple[float, float]:
    if feature.kind != "number" or feature.choices:
        return inf, -inf
    learned = feature.learned
    lows = [feature.minimum, learned.minimum if learned else None]
    highs = [feature.maximum, learned.maximum if learned else None]
    return (
        max((v for v in lows if v is not None), default=-LARGEST_NUMBER),
        min((v for v in highs if v is not None), default=LARGEST_NUMBER),
    )


def _judge(feature: Feature) -> Judge:
    read = _reader(feature)
    allowed, familiar = _allowed(feature), _familiar(feature)
    name, nullable, default = feature.name, feature.nullable, feature.default
    never_missing = feature.learned is not None and feature.learned.missing == 0

    def judge(value: object, found: Found) -> Scalar:
        if value is ABSENT and default is not None:
            found.defaulted.append(name)
            return default
        if value is None or value is ABSENT:
            if not nullable:
                found.refuse(name, f"{feature.label} is required; give {_wanted(feature)}")
            elif never_missing:
                found.warnings.append(
                    Warning(name, "missing", f"{feature.label} was never missing in training")
                )
            return None
        try:
            scalar = read(value)
            allowed(scalar)
        except _Refused as refusal:
            found.refuse(name, str(refusal))
            return None
        kind, detail = familiar(scalar)
        if kind:
            found.warnings.append(Warning(name, kind, detail))
        return scalar

    return judge


def _wanted(feature: Feature) -> str:
    return {
        "number": "a number",
        "integer": "a whole number",
        "boolean": "true or false",
        "category": "one of its values",
        "text": "a text",
    }[feature.kind]


def _reader(feature: Feature) -> Callable[[object], Scalar]:
    """A function that turns a JSON value into the feature's own type, or refuses it."""
    wrong = f"{feature.label} must be {_wanted(feature)}, not "

    def number(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _Refused(wrong + shown(value))
        if isinstance(value, float) and not isfinite(value):
            raise _Refused(f"{feature.label} must be a finite number; for a missing value send null")
        if abs(value) > LARGEST_NUMBER:
            raise _Refused(f"{feature.label} is too large to compute with; give at most 1e30")
        return float(value)

    def integer(value: object) -> int:
        result = number(value)
        if not result.is_integer():
            raise _Refused(wrong + shown(value))
        if abs(result) > LARGEST_INTEGER or (isinstance(value, int) and int(result) != value):
            raise _Refused(f"{feature.label} is too large to be held exactly; give at most 2^53")
        return int(result)

    def boolean(value: object) -> bool:
        if not isinstance(value, bool):
            raise _Refused(wrong + shown(value))
        return value

    def text(value: object) -> str:
        if not isinstance(value, str):
            raise _Refused(wrong + shown(value))
        if len(value) > feature.max_length:
            raise _Refused(f"{feature.label} must have at most {feature.max_length} characters")
        if UNUSABLE.search(value):
            raise _Refused(f"{feature.label} holds a character that can not be stored; remove it")
        return str(value)

    def category(value: object) -> Scalar:
        if isinstance(value, bool) and bool in kinds:
            return value
        if type(value) is int and int in kinds:
            return integer(value)
        if type(value) in (int, float) and float in kinds:
            return number(value)
        return text(value)

    kinds = {type(choice.value) for choice in feature.choices}
    readers: dict[str, Callable[[object], Scalar]] = {
        "number": number, "integer": integer, "boolean": boolean, "text": text, "category": category,
    }  # fmt: skip
    return readers[feature.kind]


def _allowed(feature: Feature) -> Callable[[Scalar], None]:
    low, high = feature.minimum, feature.maximum
    known = _values(feature.choices) if feature.closed else None
    unit = f" {feature.unit}" if feature.unit else ""

    def allowed(value: Scalar) -> None:
        if known is not None and (type(value), value) not in known:
            listed = ", ".join(str(choice.value) for choice in feature.choices[:8])
            more = ", …" if len(feature.choices) > 8 else ""
            raise _Refused(f"{feature.label} must be one of {listed}{more}; {shown(value)} is not")
        if isinstance(value, (int, float)):
            if low is not None and value < low:
                raise _Refused(
                    f"{feature.label} must be at least {plain(low)}{unit}; {plain(value)} is below"
                )
            if high is not None and value > high:
                raise _Refused(
                    f"{feature.label} must be at most {plain(high)}{unit}; {plain(value)} is above"
                )

    return allowed


def _familiar(feature: Feature) -> Callable[[Scalar], tuple[WarningKind | None, str]]:
    learned = feature.learned
    low = learned.minimum if learned and learned.minimum is not None else -inf
    high = learned.maximum if learned and learned.maximum is not None else inf
    known = _values(feature.choices) if feature.choices and not feature.closed else None
    unit = f" {feature.unit}" if feature.unit else ""

    def familiar(value: Scalar) -> tuple[WarningKind | None, str]:
        if known is not None and (type(value), value) not in known:
            return "unseen_category", f"{feature.label} {shown(value)} was not seen in training"
        if isinstance(value, (int, float)) and not low <= value <= high:
            far = f"{feature.label} {plain(value)}{unit} is outside the training range"
            return "outside_range", f"{far}, {plain(low)} to {plain(high)}{unit}"
        return None, ""

    return familiar


def _values(choices: tuple[Choice, ...]) -> frozenset[tuple[type, object]]:
    """With their types, because 1, 1.0 and True are equal in python."""
    return frozenset((type(choice.value), choice.value) for choice in choices)
