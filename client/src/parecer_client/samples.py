"""What a publication sends: the model as a file, and the data it learned from as Parquet, which keeps every kind."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

Edits = dict[str, Any]
#: What pickles are called, whichever library wrote them.
PICKLES = (".pkl", ".pickle", ".joblib")
#: Categories that are told one by one; a column with more is left to the desk to understand.
MOST_CHOICES = 1000


class Sample(NamedTuple):
    """Features and target, row by row."""

    X: pd.DataFrame
    y: pd.Series[Any]


class ModelFile(NamedTuple):
    """A model as the desk takes it; the end of the name says its format."""

    name: str
    data: bytes


def model_file(estimator: Any, name: str) -> ModelFile:
    """A fitted estimator as skops; a path of an ONNX or skops file, or the bytes of an ONNX file, as they are.

    Raises ValueError for what is not fitted or cannot be stored, saying what to do.
    """
    if isinstance(estimator, str | Path):
        path = Path(estimator)
        if path.suffix in PICKLES:
            raise ValueError(
                f"{path.name} is a pickle, which can run code when it is read, so no desk takes it. "
                "Load it here if you trust it and give the estimator itself, or a .skops or .onnx file."
            )
        if path.suffix not in (".onnx", ".skops"):
            raise ValueError(
                f"{path.name} is no .onnx or .skops file; give one of them, or the estimator itself."
            )
        return ModelFile(f"{name}{path.suffix}", path.read_bytes())
    if hasattr(estimator, "SerializeToString"):  # a graph in memory, as converters to ONNX give it
        estimator = estimator.SerializeToString()
    if isinstance(estimator, bytes):
        return ModelFile(f"{name}.onnx", estimator)
    if not hasattr(estimator, "predict"):
        raise ValueError(
            f"A {type(estimator).__name__} has no predict; give a fitted estimator or an ONNX file."
        )
    from skops import io as skops_io  # brings scikit-learn, which only who publishes needs

    _refuse_unfitted(estimator)
    try:
        return ModelFile(f"{name}.skops", skops_io.dumps(estimator))
    except Exception as error:  # whatever a part of the estimator raises when it is taken apart
        raise ValueError(
            f"skops cannot store this estimator ({error}). Publish it without that part, or as an ONNX file."
        ) from error


def _refuse_unfitted(estimator: Any) -> None:
    from sklearn.exceptions import NotFittedError  # who only predicts has no need of it
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise ValueError(
            f"This {type(estimator).__name__} is not fitted; call its fit(X, y) before it is published."
        ) from error
    except Exception:  # noqa: BLE001 — one of another make may not know the question; the desk will see
        return


def sample(X: Any, y: Any, names: Sequence[str] | None = None) -> Sample:
    """X as a frame with text names and y as a series beside it.

    A matrix gets `names`, else f0, f1, …; texts become the one column `text`. Raises ValueError for what is no
    table of plain values, naming every column.
    """
    target = _target(y)
    frame = _frame(X, names)
    if len(frame) != len(target):
        raise ValueError(f"X has {len(frame)} rows and y {len(target)}; give one value of y for each row.")
    taken = set(frame.columns)
    name = str(target.name) if target.name is not None else "target"
    while name in taken:
        name += "_"
    if wrong := [f"{column!r} holds {what}" for column in frame if (what := _unusable(frame[column]))]:
        raise ValueError(
            f"The desk takes numbers, texts, categories and true or false, but {'; '.join(wrong)}. "
            "Turn it into one of these before the model is fitted."
        )
    return Sample(frame.reset_index(drop=True), target.reset_index(drop=True).rename(name))


def feature_names(estimator: Any) -> list[str] | None:
    """The names that an estimator was fitted with."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def parquet(part: Sample) -> bytes:
    """The sample as one Parquet file."""
    file = io.BytesIO()
    part.X.assign(**{str(part.y.name): part.y.to_numpy()}).to_parquet(file, index=False)
    return file.getvalue()


def edits(frame: pd.DataFrame, own: Mapping[str, Any] | None) -> Edits:
    """What the values of a column do not show and its type does, as edits of the schema; `own` edits go before them.

    A category that no row has is still a choice, in the order of its type; a whole number with gaps stays whole.
    """
    features: Edits = {str(name): edit for name in frame if (edit := _edit(frame[name]))}
    given = dict(own or {})
    for name, members in dict(given.get("features", {})).items():
        features[name] = features.get(name, {}) | members
    return {**given, **({"features": features} if features else {})}


def _edit(column: pd.Series[Any]) -> Edits:
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = column.cat.categories.tolist()
        if len(values) <= MOST_CHOICES:
            choices = [{"value": value, "label": str(value)[:200]} for value in values]
            return {"kind": "category", "choices": choices}
    present = column.dropna()
    whole = present.dtype.kind in "iu" or (present.dtype == object and set(present.map(type)) == {int})
    return {"kind": "integer"} if whole and len(present) < len(column) else {}


def _frame(X: Any, names: Sequence[str] | None) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        frame = X.set_axis([str(name) for name in X.columns], axis=1)
        if not frame.columns.is_unique:
            raise ValueError(f"X has two columns {frame.columns[frame.columns.duplicated()][0]!r}.")
        return frame
    if isinstance(X, pd.Series):
        return X.to_frame("text" if X.name is None else str(X.name))
    if isinstance(X, list) and all(isinstance(value, str) for value in X):
        return pd.DataFrame({"text": X})
    if hasattr(X, "tocsr"):
        raise ValueError(
            "X is sparse; give the table that the pipeline begins with, and publish the whole pipeline."
        )
    matrix = np.asarray(X)
    if matrix.ndim != 2:
        raise ValueError(f"X must be a table of rows and features; this has {matrix.ndim} dimensions.")
    width = matrix.shape[1]
    if names is not None and len(names) != width:
        raise ValueError(f"The estimator was fitted on {len(names)} features, but X has {width}.")
    return pd.DataFrame(matrix, columns=list(names or (f"f{i}" for i in range(width)))).infer_objects()


def _target(y: Any) -> pd.Series[Any]:
    if isinstance(y, pd.DataFrame):
        if len(y.columns) != 1:
            raise ValueError("y has several columns; publish one model for each target.")
        y = y.iloc[:, 0]
    values = y if isinstance(y, pd.Series) else np.asarray(y)
    if values.ndim != 1:
        values = values.reshape(-1) if values.size == len(values) else values
    if values.ndim != 1:
        raise ValueError("y has several columns; publish one model for each target.")
    series = pd.Series(values)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.astype(series.cat.categories.dtype)
    return series


def _unusable(column: pd.Series[Any]) -> str:
    if column.dtype.kind in "mM":
        return "times"
    if column.dtype.kind == "c":
        return "complex numbers"
    if column.dtype != object:
        return ""
    found = {type(value) for value in column.dropna()}
    plain = {str, bool, int, float} | {kind for kind in found if issubclass(kind, np.generic)}
    if strange := found - plain:
        return f"values of the kind {min(kind.__name__ for kind in strange)}"
    numbers = {kind for kind in found if kind is not str}
    return "texts and other values together" if numbers and str in found else ""
