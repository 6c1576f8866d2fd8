"""Tensors of the Open Inference Protocol: read from JSON and bytes, turned into rows, and answers into tensors."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, NamedTuple

from webapp.errors import InvalidInput, Problem, meant, pointer_token
from webapp.ml.schema import Feature, Schema
from webapp.wording import said


class Datatype(NamedTuple):
    """How the values of a datatype stand in bytes (struct's letter, little-endian), and which JSON values they are."""

    letter: str
    kinds: frozenset[Any]
    low: int = 0
    high: int = 0


def _whole(letter: str, bits: int, *, signed: bool) -> Datatype:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    return Datatype(letter, frozenset({int, type(None)}), low, high - 1)


_REAL = frozenset((float, int, type(None)))
DATATYPES = {
    "BOOL": Datatype("?", frozenset({bool, type(None)})),
    **{f"INT{8 << n}": _whole(letter, 8 << n, signed=True) for n, letter in enumerate("bhiq")},
    **{f"UINT{8 << n}": _whole(letter, 8 << n, signed=False) for n, letter in enumerate("BHIQ")},
    "FP16": Datatype("e", _REAL),
    "FP32": Datatype("f", _REAL),
    "FP64": Datatype("d", _REAL),
    "BYTES": Datatype("", frozenset({str, type(None)})),
}
#: Datatype of the features of each kind, as the metadata of a model says it; of categories it is that of their values.
OF_KIND = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "text": "BYTES", "image": "BYTES"}
OF_TYPE: dict[type, str] = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}
MOST_DIMENSIONS = 8


@dataclass(slots=True)
class Tensor:
    """One input: `values` flat in row-major order, None where one is missing."""

    name: str
    shape: list[int]
    datatype: str
    values: list[Any]


def read(inputs: Any, raw: memoryview) -> list[Tensor]:
    """The inputs of a request; those without data in the JSON lie one after the other in `raw`.

    Raises InvalidInput with pointers such as `#/inputs/0/shape`.
    """
    if not isinstance(inputs, list) or not inputs:
        raise InvalidInput([Problem("#/inputs", said("must be a list of one tensor or more"))])
    tensors, at = [], 0
    for n, given in enumerate(inputs):
        refuse = partial(_refuse, f"#/inputs/{n}")
        if type(given) is not dict:
            raise refuse("", said("must be an object with name, shape, datatype and data"))
        tensor = _frame(given, refuse)
        options = given.get("parameters")
        size = options.get("binary_data_size") if isinstance(options, dict) else None
        if size is None:
            tensor.values = _flat(given.get("data"), len(tensor.shape), refuse)
            _check_values(tensor, refuse)
        else:
            if type(size) is not int or not 0 <= size <= len(raw) - at:
                raise refuse("/parameters", said("binary_data_size is not the size of what follows the JSON"))
            tensor.values = _from_bytes(tensor, raw[at : at + size], refuse)
            at += size
        if len(tensor.values) != prod(tensor.shape):
            told = said(
                "holds {n} values, and the shape {shape} has room for {room}",
                n=len(tensor.values),
                shape=str(tensor.shape),
                room=prod(tensor.shape),
            )
            raise refuse("/data", told)
        tensors.append(tensor)
    if at != len(raw):
        told = said("the JSON is followed by {n} bytes, and the tensors take {taken}", n=len(raw), taken=at)
        raise InvalidInput([Problem("#/inputs", told)])
    return tensors


Refuse = Callable[[str, str], InvalidInput]


def _refuse(pointer: str, place: str, detail: str) -> InvalidInput:
    return InvalidInput([Problem(pointer + place, detail)])


def _frame(given: dict[str, Any], refuse: Refuse) -> Tensor:
    name, shape, datatype = given.get("name"), given.get("shape"), given.get("datatype")
    if type(name) is not str:
        raise refuse("/name", said("must be a string"))
    if (
        type(shape) is not list
        or len(shape) > MOST_DIMENSIONS
        or any(type(d) is not int or d < 0 for d in shape)
    ):
        raise refuse("/shape", said("must be a list of whole numbers"))
    if type(datatype) is not str or datatype not in DATATYPES:
        raise refuse("/datatype", said("must be one of {listed}", listed=", ".join(DATATYPES)))
    return Tensor(name, shape, datatype, [])


def _flat(data: Any, levels: int, refuse: Refuse) -> list[Any]:
    if type(data) is not list:
        raise refuse("/data", said("must be a list of values"))
    for _ in range(levels):
        if not data or type(data[0]) is not list:
            break
        if any(type(part) is not list for part in data):
            raise refuse("/data", said("must be nested evenly"))
        data = [value for part in data for value in part]
    return data  # type: ignore[no-any-return]


def _check_values(tensor: Tensor, refuse: Refuse) -> None:
    datatype = DATATYPES[tensor.datatype]
    values = tensor.values
    kinds = set(map(type, values))
    if float in kinds - datatype.kinds:  # open-inference-openapi says 3 as 3.0, and true as 1.0
        values = tensor.values = _unfloated(values, bool if tensor.datatype == "BOOL" else int)
        kinds = set(map(type, values))
    if not kinds <= datatype.kinds:
        raise refuse("/data", said("holds values that are no {datatype}", datatype=tensor.datatype))
    if datatype.high:
        if any(v is not None and not datatype.low <= v <= datatype.high for v in values):
            raise refuse("/data", said("holds values that are no {datatype}", datatype=tensor.datatype))
    elif float in kinds:
        _without_nan(values)


def _unfloated(values: list[Any], kind: type) -> list[Any]:
    """Floats as the values of `kind` that equal them; where there is none they stay."""
    return [kind(v) if type(v) is float and v.is_integer() and v == kind(v) else v for v in values]


def _without_nan(values: list[Any]) -> None:
    for n, value in enumerate(values):
        if value != value:
            values[n] = None


def _from_bytes(tensor: Tensor, raw: memoryview, refuse: Refuse) -> list[Any]:
    if tensor.datatype == "BYTES":
        return [_text(part) for part in _parts(raw, refuse)]
    letter = DATATYPES[tensor.datatype].letter
    count, rest = divmod(len(raw), struct.calcsize(f"<{letter}"))
    if rest:
        raise refuse("/parameters", said("binary_data_size is no multiple of the size of a value"))
    values = list(struct.unpack(f"<{count}{letter}", raw))
    if letter in "efd":
        _without_nan(values)
    return values


def _parts(raw: memoryview, refuse: Refuse) -> Iterable[bytes]:
    at = 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise refuse("/parameters", said("the bytes of a text end before their length"))
        (length,) = struct.unpack_from("<I", raw, at)
        at += 4
        if at + length > len(raw):
            raise refuse("/parameters", said("the bytes of a text end before their length"))
        yield bytes(raw[at : at + length])
        at += length


def _text(part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError:  # a picture, most likely, which rows hold in base64
        return base64.b64encode(part).decode()


def rows(tensors: Sequence[Tensor], schema: Schema) -> list[dict[str, Any]]:
    """One row for each first index; raises InvalidInput.

    Either one tensor of two dimensions holds all the features, in the order of the schema, or each has a tensor
    of its own, under its name and of shape [n] or [n, 1].
    """
    if len(tensors) == 1 and _is_matrix(tensors[0], schema):
        return _from_matrix(tensors[0], schema)
    known = {feature.name: feature for feature in schema.features}
    columns: dict[str, list[Any]] = {}
    for n, tensor in enumerate(tensors):
        _check_column(n, tensor, tensors[0], known, columns)
        columns[tensor.name] = _fit(known[tensor.name], tensor)
    names = tuple(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _is_matrix(tensor: Tensor, schema: Schema) -> bool:
    return tensor.name not in schema.names or (len(tensor.shape) == 2 and tensor.shape[1] > 1)


def _from_matrix(tensor: Tensor, schema: Schema) -> list[dict[str, Any]]:
    width, shape = len(schema.names), tensor.shape
    if len(shape) != 2 or shape[1] != width:
        listed = ", ".join(schema.names[:20]) + (", …" if width > 20 else "")
        hint = meant(tensor.name, schema.names)
        told = said(
            "must be [n, {width}], one column for each of {listed}, and is {shape}{hint}",
            width=width,
            listed=listed,
            shape=str(shape),
            hint=hint,
        )
        raise InvalidInput([Problem("#/inputs/0/shape", told)])
    values, names = tensor.values, schema.names
    if _plain(schema) and tensor.datatype != "BYTES":
        return [dict(zip(names, values[at : at + width], strict=True)) for at in range(0, len(values), width)]
    columns = [
        _fit(feature, Tensor(feature.name, [], tensor.datatype, values[n::width]))
        for n, feature in enumerate(schema.features)
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(schema: Schema) -> bool:
    return all(feature.kind in ("number", "integer") for feature in schema.features)


def _check_column(
    n: int, tensor: Tensor, first: Tensor, known: dict[str, Feature], columns: dict[str, list[Any]]
) -> None:
    told = ""
    if tensor.name not in known:
        told = said("is not a feature of this model; remove it{hint}", hint=meant(tensor.name, known))
        raise InvalidInput([Problem(f"#/inputs/{n}/{pointer_token(tensor.name)}", told)])
    if tensor.name in columns:
        raise InvalidInput([Problem(f"#/inputs/{n}/name", said("stands twice among the inputs"))])
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]):
        told = said("must be [n] or [n, 1], and is {shape}", shape=str(tensor.shape))
    elif tensor.shape[0] != first.shape[0]:
        told = said("has {n} rows, and the first input {first}", n=tensor.shape[0], first=first.shape[0])
    if told:
        raise InvalidInput([Problem(f"#/inputs/{n}/shape", told)])


def _fit(feature: Feature, tensor: Tensor) -> list[Any]:
    """The values of one column, those taken back into the kind of the feature that its datatype had no place for."""
    values = tensor.values
    if tensor.datatype == "BYTES":
        # Clients send text in bytes without a way to say that there is none.
        empty = feature.nullable and feature.kind != "text" and all(c.value != "" for c in feature.choices)
        return [None if value == "" else value for value in values] if empty else values
    kinds = {type(choice.value) for choice in feature.choices} if feature.kind == "category" else set()
    if feature.kind == "boolean" or bool in kinds:
        return [bool(value) if value in (0, 1) else value for value in values]
    if tensor.datatype.startswith("FP") and int in kinds:
        return [int(v) if type(v) is float and v.is_integer() else v for v in values]
    if not tensor.datatype.startswith("FP") and float in kinds and int not in kinds:
        return [float(v) if type(v) is int else v for v in values]
    return values


def datatype_of(feature: Feature) -> str:
    """The datatype that a feature is best sent as."""
    if feature.kind != "category":
        return OF_KIND[feature.kind]
    return common({type(choice.value) for choice in feature.choices})


def common(kinds: set[type]) -> str:
    """The datatype that values of these types have in common."""
    return OF_TYPE[kinds.pop()] if len(kinds) == 1 else "BYTES"


def to_bytes(datatype: str, values: list[Any]) -> bytes:
    """Values as they stand after the JSON; a missing number is NaN."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    if DATATYPES[datatype].letter in "efd":
        values = [float("nan") if value is None else value for value in values]
    return struct.pack(f"<{len(values)}{DATATYPES[datatype].letter}", *values)
