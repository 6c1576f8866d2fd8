"""Row checks, prepared once per schema so that a usual row costs a few comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Final, NamedTuple

from webapp.errors import UNUSABLE, Problem, meant, pointer_token, printable
from webapp.ml.schema import images
from webapp.ml.schema.features import Choice, Feature, Scalar, Warning, WarningKind
from webapp.wording import Figure, said, said_n

ABSENT: Final = object()
LARGEST_INTEGER: Final = 2**53  # beyond it a float no longer holds every integer
#: Engines compute in single precision, which ends at 3.4e38: this leaves room for their sums and products.
LARGEST_NUMBER: Final = 1e30
_SHOWN = 40
_NAMED = 100
#: What a value of each kind is called.
WANTED: Final = {
    "number": said("a number"),
    "integer": said("a whole number"),
    "boolean": said("true or false"),
    "category": said("one of its values"),
    "text": said("a text"),
    "image": said("an image as base64: PNG, JPEG or WebP"),
}
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
        return said("that number")  # python refuses to print integers of thousands of digits
    if isinstance(value, (list, tuple)):
        return said("a list")
    if isinstance(value, Mapping):
        return said("an object")
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return Figure(printable(repr(value)[:_SHOWN]))
    return printable(f"“{value}”" if len(value) <= _SHOWN else f"“{value[:_SHOWN]}…”")


def plain(number: float) -> Figure:
    """12 significant digits at most, without a trailing .0."""
    return Figure(f"{number:.12g}")


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
        told = said("{name} is not a feature of this model; remove it{hint}", name=shown(text), hint=hint)
        found.refuse(text, told)
    if len(strangers) > _NAMED:
        more = said_n(
            "holds {n} more name that is no feature of this model; remove it",
            "holds {n} more names that are no features of this model; remove them",
            n=len(strangers) - _NAMED,
        )
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
                wanted = WANTED[feature.kind]
                found.refuse(
                    name, said("{feature} is required; give {wanted}", feature=feature.label, wanted=wanted)
                )
            elif never_missing:
                found.warnings.append(Warning(name, "missing", unusual(feature, "missing", None)))
            return None
        try:
            scalar = read(value)
            allowed(scalar)
        except _Refused as refusal:
            found.refuse(name, refusal.args[0])
            return None
        kind = familiar(scalar)
        if kind:
            found.warnings.append(Warning(name, kind, unusual(feature, kind, scalar)))
        return scalar

    return judge


def _reader(feature: Feature) -> Callable[[object], Scalar]:
    """A function that turns a JSON value into the feature's own type, or refuses it."""
    label, wanted = feature.label, WANTED[feature.kind]

    def wrong(value: object) -> _Refused:
        told = said(
            "{feature} must be {wanted}, not {value}", feature=label, wanted=wanted, value=shown(value)
        )
        return _Refused(told)

    def number(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise wrong(value)
        if isinstance(value, float) and not isfinite(value):
            raise _Refused(
                said("{feature} must be a finite number; for a missing value send null", feature=label)
            )
        if abs(value) > LARGEST_NUMBER:
            raise _Refused(said("{feature} is too large to compute with; give at most 1e30", feature=label))
        return float(value)

    def integer(value: object) -> int:
        result = number(value)
        if not result.is_integer():
            raise wrong(value)
        if abs(result) > LARGEST_INTEGER or (isinstance(value, int) and int(result) != value):
            raise _Refused(
                said("{feature} is too large to be held exactly; give at most 2^53", feature=label)
            )
        return int(result)

    def boolean(value: object) -> bool:
        if not isinstance(value, bool):
            raise wrong(value)
        return value

    def text(value: object) -> str:
        if not isinstance(value, str):
            raise wrong(value)
        if len(value) > feature.max_length:
            raise _Refused(
                said("{feature} must have at most {most} characters", feature=label, most=feature.max_length)
            )
        if UNUSABLE.search(value):
            raise _Refused(
                said("{feature} holds a character that can not be stored; remove it", feature=label)
            )
        return str(value)

    def category(value: object) -> Scalar:
        if isinstance(value, bool) and bool in kinds:
            return value
        if type(value) is int and int in kinds:
            return integer(value)
        if type(value) in (int, float) and float in kinds:
            return number(value)
        return text(value)

    def image(value: object) -> str:
        if not isinstance(value, str):
            raise wrong(value)
        try:
            return images.read(value, feature.image or images.ImageSpec(1, 1))
        except images.Unusable as error:
            raise _Refused(said("{feature} {problem}", feature=label, problem=error.args[0])) from None

    kinds = {type(choice.value) for choice in feature.choices}
    readers: dict[str, Callable[[object], Scalar]] = {
        "number": number, "integer": integer, "boolean": boolean, "text": text, "category": category,
        "image": image,
    }  # fmt: skip
    return readers[feature.kind]


def _allowed(feature: Feature) -> Callable[[Scalar], None]:
    low, high = feature.minimum, feature.maximum
    known = _values(feature.choices) if feature.closed else None
    label, unit = feature.label, _unit(feature)

    def allowed(value: Scalar) -> None:
        if known is not None and (type(value), value) not in known:
            listed = ", ".join(str(choice.value) for choice in feature.choices[:8])
            more = ", …" if len(feature.choices) > 8 else ""
            raise _Refused(
                said(
                    "{feature} must be one of {listed}; {value} is not",
                    feature=label,
                    listed=listed + more,
                    value=shown(value),
                )
            )
        if isinstance(value, (int, float)):
            if low is not None and value < low:
                raise _Refused(
                    said(
                        "{feature} must be at least {low}{unit}; {value} is below",
                        feature=label,
                        low=plain(low),
                        unit=unit,
                        value=plain(value),
                    )
                )
            if high is not None and value > high:
                raise _Refused(
                    said(
                        "{feature} must be at most {high}{unit}; {value} is above",
                        feature=label,
                        high=plain(high),
                        unit=unit,
                        value=plain(value),
                    )
                )

    return allowed


def _familiar(feature: Feature) -> Callable[[Scalar], WarningKind | None]:
    low, high = _range(feature)
    known = _values(feature.choices) if feature.choices and not feature.closed else None
    prose = feature.kind == "text"

    def familiar(value: Scalar) -> WarningKind | None:
        if known is not None and (type(value), value) not in known:
            return "unseen_category"
        if isinstance(value, images.Picture):
            return None if low <= value.brightness <= high else "outside_range"
        if isinstance(value, (int, float)) and not low <= value <= high:
            return "outside_range"
        if prose and not low <= len(str(value)) <= high:
            return "outside_range"
        return None

    return familiar


def unusual(feature: Feature, kind: WarningKind, value: Scalar) -> str:
    """What a warning of this kind says of a feature's value."""
    if kind == "missing":
        return said("{feature} was never missing in training", feature=feature.label)
    if feature.kind == "image":
        return said(
            "{feature} is darker or brighter, on average, than every image this version learned from",
            feature=feature.label,
        )
    if feature.kind == "text" and kind == "outside_range":
        low, high = _range(feature)
        return said(
            "{feature} has {n} characters; the training texts had {low} to {high}",
            feature=feature.label,
            n=len(str(value)),
            low=plain(low),
            high=plain(high),
        )
    if kind == "unseen_category" or not isinstance(value, (int, float)):
        return said("{feature} {value} was not seen in training", feature=feature.label, value=shown(value))
    low, high = _range(feature)
    return said(
        "{feature} {value}{unit} is outside the training range, {low} to {high}{unit}",
        feature=feature.label,
        value=plain(value),
        unit=_unit(feature),
        low=plain(low),
        high=plain(high),
    )


def _range(feature: Feature) -> tuple[float, float]:
    learned = feature.learned
    low = learned.minimum if learned and learned.minimum is not None else -inf
    high = learned.maximum if learned and learned.maximum is not None else inf
    return low, high


def _unit(feature: Feature) -> str:
    return f" {feature.unit}" if feature.unit else ""


def _values(choices: tuple[Choice, ...]) -> frozenset[tuple[type, object]]:
    """With their types, because 1, 1.0 and True are equal in python."""
    return frozenset((type(choice.value), choice.value) for choice in choices)
