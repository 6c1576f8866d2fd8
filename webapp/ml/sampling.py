"""Sample frames as checked rows, and the layout an estimator was trained with."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from webapp.errors import BadArtifact
from webapp.ml.layout import Layout, Rows
from webapp.ml.schema import Scalar, Schema
from webapp.wording import said

if TYPE_CHECKING:
    import pandas as pd

#: Of a sample, for a version to be tried by.
KEPT_ROWS: Final = 500


class Labelled(NamedTuple):
    """Rows that the schema accepts, in schema order, and their target values."""

    rows: list[tuple[Scalar, ...]]
    truth: list[Any]


def named(frame: pd.DataFrame, target: pd.Series[Any]) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """With text column names and rows that have a target."""
    if len(frame) != len(target):
        raise BadArtifact(
            said("The sample has {rows} rows, but its target {values}.", rows=len(frame), values=len(target))
        )
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise BadArtifact(said("Two columns of the sample have the same name."))
    present = target.notna().to_numpy()
    return frame.set_axis(names, axis=1)[present], target[present]


def labelled(frame: pd.DataFrame, target: pd.Series[Any], schema: Schema) -> Labelled:
    """Rows outside the allowed ranges are left out: the model will not be asked about them."""
    lacking = [name for name in schema.names if name not in frame.columns]
    if lacking:
        raise BadArtifact(said("The sample has no column “{name}”.", name=lacking[0]))
    missing = {name: frame[name].isna().tolist() for name in schema.names}
    columns = [
        [None if gone else value for value, gone in zip(frame[name].tolist(), missing[name], strict=True)]
        for name in schema.names
    ]
    rows, truth = [], []
    for row, value in zip(zip(*columns, strict=True), target.tolist(), strict=True):
        checked = schema.check(dict(zip(schema.names, row, strict=True)))
        if not checked.problems:
            rows.append(checked.values)
            truth.append(value)
    if not rows:
        raise BadArtifact(
            said("No row of the data passes the schema; check the kinds and allowed ranges of its columns.")
        )
    return Labelled(rows, truth)


def trained_layout(estimator: Any, frame: pd.DataFrame) -> Layout:
    """How rows must look for `estimator`, which was fitted on data like `frame`."""
    if not hasattr(estimator, "feature_names_in_"):
        if _takes_texts(estimator):
            if len(frame.columns) > 1:
                raise BadArtifact(
                    said(
                        "The model reads one column of text, but the sample has {columns} beside the target; leave "
                        "the others out, or fit a ColumnTransformer on the frame.",
                        columns=len(frame.columns),
                    )
                )
            return Layout("texts", (str(frame.columns[0]),), ("str",))
        if all(dtype.kind in "biuf" for dtype in frame.dtypes):
            return Layout("matrix", ("rows",), ("float64",))
    dtypes = tuple(_dtype(frame[name]) for name in frame.columns)
    objects = [frame[name] for name, dtype in zip(frame.columns, dtypes, strict=True) if dtype == "object"]
    holds_none = any(value is None for column in objects for value in column)
    categories = {
        name: frame[name].cat.categories.tolist()
        for name, dtype in zip(frame.columns, dtypes, strict=True)
        if dtype == "category"
    }
    return Layout("frame", tuple(frame.columns), dtypes, "None" if holds_none else "", categories)


def some(rows: Rows) -> Rows:
    """At most 500, in their order, always the same ones."""
    if len(rows) <= KEPT_ROWS:
        return rows
    chosen = sorted(random.Random(20260101).sample(range(len(rows)), KEPT_ROWS))  # noqa: S311 — a sample
    return [rows[i] for i in chosen]


def ordered(estimator: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns as the estimator knows them; raises BadArtifact if they are others."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        if set(names) != set(frame.columns):
            raise BadArtifact(_other_columns([str(name) for name in names], list(frame.columns)))
        return frame[list(names)]
    wanted = getattr(estimator, "n_features_in_", len(frame.columns))
    if wanted != len(frame.columns):
        raise BadArtifact(
            said(
                "The model takes {wanted} features, but the sample has {columns} columns beside the target.",
                wanted=wanted,
                columns=len(frame.columns),
            )
        )
    return frame


def _other_columns(names: list[str], columns: list[str]) -> str:
    lacking = [name for name in names if name not in columns]
    stray = [name for name in columns if name not in names]
    said = []
    if lacking:
        said.append(f"lacks {_listed(lacking)}, which the model was trained with")
    if stray:
        said.append(f"has {_listed(stray)}, which the model does not know")
    return f"The sample {' and '.join(said)}; give the columns it was trained with, and the target."


def _listed(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names[:5]) + (", …" if len(names) > 5 else "")


def _takes_texts(estimator: Any) -> bool:
    steps = getattr(estimator, "steps", None)
    first = steps[0][1] if steps else estimator
    united = getattr(first, "transformer_list", None)
    if united:
        return all(_takes_texts(part) for _, part in united)
    return hasattr(first, "get_feature_names_out") and hasattr(first, "build_analyzer")


def _dtype(column: pd.Series[Any]) -> str:
    name = str(column.dtype)
    if name == "category":
        return name
    by_kind = {"f": "float64", "i": "int64", "u": "int64", "b": "bool"}
    if column.dtype.kind in by_kind:
        return by_kind[column.dtype.kind]
    return "str" if name.startswith("str") else "object"
