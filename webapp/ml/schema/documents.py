"""Schemas as documents: the stored dict, read back with suspicion, and JSON Schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from math import ceil, floor, isfinite
from typing import Any, Final, get_args

from webapp.errors import BadArtifact, Problem, no_member, pointer_token, printable
from webapp.ml.schema import images, thresholds
from webapp.ml.schema.checks import LARGEST_INTEGER, LARGEST_NUMBER, Found, step
from webapp.ml.schema.features import Choice, Feature, Kind, Learned, Output, Scalar
from webapp.ml.schema.images import ImageSpec
from webapp.wording import said

MAX_FEATURES: Final = 10_000
#: PostgreSQL takes no NUL in a text.
#: Characters, as much as an image of some kB needs.
LONGEST_EXAMPLE: Final = 20_000
#: Items of an answer.
MOST_RANKED: Final = 100
STORABLE: Final = r"^[^\x00]*$"


def plain(value: Any) -> Any:
    """Tuples as lists and choices as {value, label}, as JSON would give them back."""
    if isinstance(value, Choice):
        return {"value": value.value, "label": value.label}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def feature(of: Feature) -> dict[str, Any]:
    """The stored form. Of the members below, what is not given leaves no trace: older schemas keep their digest."""
    stored: dict[str, Any] = plain(asdict(of))
    for name in ("group", "image"):
        if stored[name] is None:
            del stored[name]
    return stored


def output(of: Output) -> dict[str, Any]:
    """The stored form; as of features, what came later and is not given leaves no trace."""
    stored: dict[str, Any] = plain(asdict(of)) | {"thresholds": thresholds.stored(of)}
    if of.top is None:
        del stored["top"]
    if not of.thresholds:
        del stored["thresholds"]
    return stored


def read(data: object) -> tuple[tuple[Feature, ...], Output]:
    """Features and output from the dict form; raises BadArtifact with a pointer to the member at fault.

    Pointers name a feature, as edits do, where the stored form has its number.
    """
    document = _object(data, said("The schema"), {"features", "output"}, {"features", "output"})
    rows = _list(document["features"], "#/features")
    if not 1 <= len(rows) <= MAX_FEATURES:
        raise BadArtifact(said("A schema needs 1 to {most} features.", most=MAX_FEATURES))
    features = tuple(_feature(row, _place(row, i)) for i, row in enumerate(rows))
    twice = [name for name, count in Counter(f.name for f in features).items() if count > 1]
    if twice:
        raise BadArtifact(
            said("Two features are called “{name}”; give each its own name.", name=printable(twice[0]))
        )
    if len(features) > 1 and any(f.kind == "image" for f in features):
        raise BadArtifact(
            said("A model that looks at an image takes nothing beside it; leave out the other columns.")
        )
    return features, _output(document["output"])


def _place(row: object, number: int) -> str:
    name = row.get("name") if isinstance(row, Mapping) else None
    return f"#/features/{pointer_token(name) if name and isinstance(name, str) else number}"


def refuse_unusable(features: tuple[Feature, ...], problems: list[Problem]) -> None:
    """An example or default that the schema itself refuses is a mistake in the schema."""
    for feature in features:
        if feature.default is not None:
            found = Found("#/inputs")
            step(feature).judge(feature.default, found)
            problems = problems + found.problems
    if problems:
        raise BadArtifact(
            said("The schema refuses its own example or default: {problem}.", problem=problems[0].detail)
        )


def example(feature: Feature) -> Scalar:
    for given in (feature.example, feature.default):
        if given is not None:
            return given
    if feature.choices and feature.kind != "boolean":
        return feature.choices[0].value
    if feature.kind in ("number", "integer"):
        return _typical(feature)
    if feature.image is not None:
        return images.grey(feature.image)
    return False if feature.kind == "boolean" else "a"


def _typical(feature: Feature) -> float | int:
    """The training median as somebody would type it, to 6 digits, moved into the allowed range."""
    learned = feature.learned or Learned()
    median = next((v for v in (learned.quantile(0.5), learned.minimum) if v is not None), 0.0)
    whole = feature.kind == "integer"
    value = round(median) if whole else float(f"{median:.6g}")
    if feature.minimum is not None:
        value = max(value, ceil(feature.minimum) if whole else float(feature.minimum))
    if feature.maximum is not None:
        value = min(value, floor(feature.maximum) if whole else float(feature.maximum))
    return value


def json_schema(features: tuple[Feature, ...]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {feature.name: _property(feature) for feature in features},
        "required": [f.name for f in features if f.default is None and not f.nullable],
        "additionalProperties": False,
    }


def _property(feature: Feature) -> dict[str, Any]:
    types = {"category": "string", "text": "string", "image": "string"}
    of_choices = sorted({_json_type(c.value) for c in feature.choices} | {"string"})
    kinds = of_choices if feature.kind == "category" else [types.get(feature.kind, feature.kind)]
    kinds = kinds + (["null"] if feature.nullable else [])
    largest = {"number": LARGEST_NUMBER, "integer": LARGEST_INTEGER}.get(feature.kind)
    described: dict[str, Any] = {
        "title": feature.label,
        "description": feature.description or None,
        "type": kinds[0] if len(kinds) == 1 else kinds,
        "minimum": feature.minimum if feature.minimum is not None else -largest if largest else None,
        "maximum": feature.maximum if feature.maximum is not None else largest,
        "maxLength": images.LONGEST if feature.image else feature.max_length if "string" in kinds else None,
        "pattern": STORABLE if "string" in kinds else None,
        "contentEncoding": "base64" if feature.image else None,
        "contentMediaType": "image/png" if feature.image else None,
        "enum": _enum(feature),
        "default": feature.default,
        "x-unit": feature.unit,
        "x-group": feature.group,
        "examples": [example(feature)],
    }
    return {key: value for key, value in described.items() if value is not None}


def _enum(feature: Feature) -> list[Scalar] | None:
    if not feature.closed:
        return None
    return [choice.value for choice in feature.choices] + ([None] if feature.nullable else [])


def _json_type(value: Scalar) -> str:
    return {bool: "boolean", int: "integer", float: "number", str: "string"}[type(value)]


Test = Callable[[Any], bool]


def _text(limit: int) -> Test:
    return lambda v: isinstance(v, str) and len(v) <= limit and printable(v) == v


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= 2**53 if isinstance(value, int) else isfinite(value)


def _scalar(value: Any) -> bool:
    return isinstance(value, bool) or _number(value) or _text(1000)(value)


def _optional(test: Test) -> Test:
    return lambda v: v is None or test(v)


_FEATURE: Final[dict[str, tuple[Test, str]]] = {
    "name": (lambda v: _text(200)(v) and bool(v), said("a text of 1 to 200 characters")),
    "kind": (lambda v: v in get_args(Kind), said("one of {listed}", listed=", ".join(get_args(Kind)))),
    "label": (_text(200), said("a text of at most 200 characters")),
    "description": (_text(2000), said("a text of at most 2000 characters")),
    "unit": (_optional(_text(40)), said("a text of at most 40 characters, or null")),
    "nullable": (lambda v: isinstance(v, bool), said("true or false")),
    "default": (_optional(_scalar), said("a number, text, true, false or null")),
    "example": (
        lambda v: _optional(_scalar)(v) or _text(LONGEST_EXAMPLE)(v),
        said("a number, text, true, false or null"),
    ),
    "minimum": (_optional(_number), said("a number or null")),
    "maximum": (_optional(_number), said("a number or null")),
    "choices": (
        lambda v: isinstance(v, (list, tuple)),
        said("a list of {members}", members="{value, label}"),
    ),
    "closed": (lambda v: isinstance(v, bool), said("true or false")),
    "learned": (lambda v: True, ""),
    "group": (
        lambda v: v is None or (_text(100)(v) and bool(v.strip())),
        said("a text of 1 to 100 characters, or null"),
    ),
    "max_length": (lambda v: type(v) is int and 1 <= v <= 100_000, said("a whole number, 1 to 100000")),
    "image": (lambda v: True, ""),
}
_IMAGE: Final[dict[str, tuple[Test, str]]] = {
    **dict.fromkeys(
        ("width", "height"),
        (
            lambda v: type(v) is int and 1 <= v <= images.MAX_SIDE,
            said("a whole number, 1 to {most}", most=images.MAX_SIDE),
        ),
    ),
    "channels": (lambda v: v in (1, 3) and type(v) is int, said("1 (grey) or 3 (colour)")),
    "scale": (lambda v: _number(v) and 0 < v <= LARGEST_NUMBER, said("a number above 0")),
    "layout": (lambda v: v in ("flat", "hwc", "chw"), said("one of {listed}", listed="flat, hwc, chw")),
    "fit": (lambda v: v in ("stretch", "crop"), said("one of {listed}", listed="stretch, crop")),
    **dict.fromkeys(("mean", "std"), (lambda v: isinstance(v, (list, tuple)), said("a list of numbers"))),
}
_OUTPUT: Final[dict[str, tuple[Test, str]]] = {
    "kind": (
        lambda v: v in ("classification", "regression", "ranking"),
        said("classification, regression or ranking"),
    ),
    "target": (_text(200), said("a text of at most 200 characters")),
    "label": (_text(200), said("a text of at most 200 characters")),
    "classes": (
        lambda v: isinstance(v, (list, tuple)),
        said("a list of {members}", members="{value, label}"),
    ),
    "unit": (_optional(_text(40)), said("a text of at most 40 characters, or null")),
    "probabilities": (lambda v: isinstance(v, bool), said("true or false")),
    "top": (
        lambda v: v is None or (type(v) is int and 1 <= v <= MOST_RANKED),
        said("a whole number, 1 to {most}", most=MOST_RANKED),
    ),
    "thresholds": (lambda v: True, ""),
}


def _feature(data: object, where: str) -> Feature:
    members = _members(data, where, Feature, _FEATURE)
    members["choices"] = _choices(members.get("choices", ()), f"{where}/choices")
    members["learned"] = _learned(members.get("learned"), where)
    members["image"] = _image(members.get("image"), where, members["kind"])
    feature = Feature(**members)
    if feature.image and (feature.nullable or feature.default is not None or feature.choices):
        raise BadArtifact(
            said("{where}: an image is always needed; it has no default and no choices.", where=where)
        )
    if feature.closed and not feature.choices:
        raise BadArtifact(said("{where}: closed needs choices; list them.", where=where))
    low, high = feature.minimum, feature.maximum
    if low is not None and high is not None and low > high:
        raise BadArtifact(said("{where}: minimum is above maximum.", where=where))
    return feature


def _image(data: object, where: str, kind: str) -> ImageSpec | None:
    place = f"{where}/image"
    if (kind == "image") != (data is not None):
        raise BadArtifact(
            said(
                "{where}: the kind image, and no other, needs its size; give {example}.",
                where=place,
                example='{"width": 28, "height": 28}',
            )
        )
    if data is None:
        return None
    members = _members(data, place, ImageSpec, _IMAGE)
    for name in ("mean", "std"):
        numbers = members[name] = tuple(members.get(name, ()))
        if numbers and (len(numbers) != members.get("channels", 1) or not all(map(_number, numbers))):
            raise BadArtifact(said("{where} must hold a number for each channel.", where=f"{place}/{name}"))
    if not all(members["std"]):
        raise BadArtifact(said("{where} must not be 0.", where=f"{place}/std"))
    return ImageSpec(**members)


def _output(data: object) -> Output:
    members = _members(data, "#/output", Output, _OUTPUT)
    members["classes"] = _choices(members.get("classes", ()), "#/output/classes")
    limits = members.pop("thresholds", {})
    output = Output(**members)
    if output.kind == "classification" and not output.classes:
        raise BadArtifact(said("#/output: a classification needs its classes."))
    if output.kind == "ranking" and len(output.classes) < 2:
        raise BadArtifact(
            said("#/output: a ranking needs items to rank; publish a model that tells classes apart.")
        )
    if (output.kind == "ranking") != (output.top is not None):
        raise BadArtifact(
            said("#/output/top: a ranking, and nothing else, needs the number of items it answers with.")
        )
    if len({c.label for c in output.classes}) < len(output.classes):
        raise BadArtifact(
            said("#/output/classes has a label twice; people could not tell these classes apart.")
        )
    return replace(output, thresholds=thresholds.read(limits, output))


def _choices(items: Sequence[object], where: str) -> tuple[Choice, ...]:
    choices = []
    for i, item in enumerate(items):
        place = f"{where}/{i}"
        pair = _object(item, place, {"value", "label"}, {"value", "label"})
        if not _scalar(pair["value"]) or not _text(200)(pair["label"]):
            raise BadArtifact(
                said("{where} must be a value and its label, a text of at most 200 characters.", where=place)
            )
        choices.append(Choice(pair["value"], pair["label"]))
    if len({(type(c.value), c.value) for c in choices}) < len(choices):
        raise BadArtifact(said("{where} lists a value twice.", where=where))
    return tuple(choices)


def _learned(data: object, where: str) -> Learned | None:
    if data is None:
        return None
    place = f"{where}/learned"
    names = {f.name for f in fields(Learned)}
    members = _object(data, place, names, set())
    quantiles = _list(members.get("quantiles", ()), f"{place}/quantiles")
    pairs = [
        tuple(q) for q in quantiles if isinstance(q, (list, tuple)) and len(q) == 2 and all(map(_number, q))
    ]
    numbers = [members.get("minimum"), members.get("maximum")]
    missing = members.get("missing", 0.0)
    if len(pairs) < len(quantiles) or not all(map(_optional(_number), numbers)) or not _number(missing):
        raise BadArtifact(said("{where} must hold numbers only.", where=place))
    return Learned(numbers[0], numbers[1], tuple(pairs), missing)


def _members(data: object, where: str, of: type, rules: Mapping[str, tuple[Test, str]]) -> dict[str, Any]:
    required = {f.name for f in fields(of) if f.default is MISSING}
    members = _object(data, where, set(rules), required)
    for name, value in members.items():
        test, wanted = rules[name]
        if not test(value):
            raise BadArtifact(said("{where} must be {wanted}.", where=f"{where}/{name}", wanted=wanted))
    return members


def _object(data: object, where: str, known: set[str], required: set[str]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise BadArtifact(said("{where} must be an object.", where=where))
    if stray := [str(key) for key in data if key not in known]:
        raise BadArtifact(
            said("{where} has {problem}", where=where, problem=no_member(stray[0], sorted(known)))
        )
    if lacking := sorted(required - set(data)):
        raise BadArtifact(said("{where} needs {listed}.", where=where, listed=", ".join(lacking)))
    return dict(data)


def _list(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise BadArtifact(said("{where} must be a list.", where=where))
    return value
