"""How checked rows become what an engine takes: one matrix, one array a column, a frame, texts, or images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from webapp.ml.schema import ImageSpec, Picture, Scalar
from webapp.ml.texts import TEXT, preparation

Rows = Sequence[tuple[Scalar, ...]]
_NUMERIC: Final = {"float32": np.float32, "float64": np.float64, "int64": np.int64, "bool": np.bool_}


class Layout(NamedTuple):
    """`kind` matrix: `dtypes` has one entry. Else one entry for each feature, in schema order.

    Images: one entry, the values are Pictures, which know what they become.
    dtypes: float32, float64, int64, bool, str, str? (may be missing), object, category, or text with what is done to
    it (see ml.texts). `missing` is the text that stands for a missing string in ONNX, which has none of its own.
    """

    kind: Literal["matrix", "columns", "frame", "texts", "images"]
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    missing: str = ""
    #: for category columns of a frame: feature → the categories it was trained with
    categories: dict[str, list[Any]] = {}  # noqa: RUF012 — read only

    def to_dict(self) -> dict[str, Any]:
        return self._asdict()

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Layout:
        return cls(
            data["kind"], tuple(data["names"]), tuple(data["dtypes"]), data["missing"], data["categories"]
        )


def feeder(layout: Layout) -> Callable[[Rows], dict[str, Any]]:
    """For ONNX: rows → {input name: array}; a matrix is n × features, columns are n × 1 each."""
    if layout.kind == "matrix":
        name, dtype = layout.names[0], _NUMERIC[layout.dtypes[0]]
        array = np.array
        return lambda rows: {name: array(rows, dtype)}
    if layout.kind == "images":
        return lambda rows: {layout.names[0]: pixels(rows, layout.dtypes[0])}
    makers = [
        (name, _column(dtype, layout.missing))
        for name, dtype in zip(layout.names, layout.dtypes, strict=True)
    ]
    return lambda rows: {
        name: make(values) for (name, make), values in zip(makers, _columns(rows), strict=True)
    }


def _columns(rows: Rows) -> Iterator[tuple[Scalar, ...]]:
    return zip(*rows, strict=True)


def _column(dtype: str, missing: str) -> Callable[[Sequence[Scalar]], Any]:
    if dtype.startswith(TEXT):
        prepare = preparation(dtype)
        return lambda values: np.array([[prepare(v)] for v in values], object)
    if dtype == "str":
        return lambda values: np.array([[str(v)] for v in values], object)
    if dtype == "str?":
        # the very text of the stand-in must not pass for a missing value
        told: dict[Scalar, Scalar] = {None: missing, missing: missing + "\x01"}
        return lambda values: np.array([[told.get(v, v)] for v in values], object)
    kind = _NUMERIC[dtype]
    return lambda values: np.array(values, kind).reshape(-1, 1)


def framer(layout: Layout) -> Callable[[Rows], Any]:
    """For scikit-learn: rows → float64 matrix, list of texts, or DataFrame with the training dtypes."""
    if layout.kind == "matrix":
        return lambda rows: np.array(rows, np.float64)
    if layout.kind == "texts":
        return lambda rows: ["" if row[0] is None else str(row[0]) for row in rows]
    if layout.kind == "images":
        return lambda rows: pixels(rows, "float64")
    return lambda rows: _frame(rows, layout)


def pixels(rows: Rows, dtype: str) -> Any:
    """Rows of one Picture → n × numbers, n × height × width × channels or n × channels × height × width."""
    pictures = [row[0] for row in rows if isinstance(row[0], Picture)]
    spec: ImageSpec = pictures[0].spec
    raw = np.frombuffer(b"".join(picture.raw for picture in pictures), np.uint8)
    shape = len(pictures), spec.height, spec.width, spec.channels
    values: Any = raw.reshape(shape).astype(np.float64)
    values *= spec.scale / 255
    if spec.mean:
        values -= np.array(spec.mean)
    if spec.std:
        values /= np.array(spec.std)
    if spec.layout == "chw":
        values = values.transpose(0, 3, 1, 2)
    elif spec.layout == "flat":
        values = values.reshape(len(pictures), -1)
    return np.ascontiguousarray(values, _NUMERIC[dtype])


def _frame(rows: Rows, layout: Layout) -> Any:
    import pandas as pd  # heavy, and only models that scikit-learn serves from named columns need it

    if set(layout.dtypes) == {"float64"}:
        return pd.DataFrame(np.array(rows, np.float64), columns=list(layout.names))
    columns = zip(layout.names, layout.dtypes, _columns(rows), strict=True)
    return pd.DataFrame({name: _series(pd, name, dtype, values, layout) for name, dtype, values in columns})


def _series(pd: Any, name: str, dtype: str, values: Sequence[Scalar], layout: Layout) -> Any:
    if dtype == "category":
        known = layout.categories[name]
        return pd.Categorical([v if v in known else None for v in values], categories=known)
    if dtype in ("int64", "bool") and None in values:
        dtype = "float64" if dtype == "int64" else "object"
    if dtype == "object":
        nothing = None if layout.missing == "None" else np.nan
        return pd.Series([nothing if v is None else v for v in values], dtype=object)
    return pd.Series(values, dtype=dtype)
