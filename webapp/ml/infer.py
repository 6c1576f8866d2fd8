"""A first schema from a sample of training data; people correct it with edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from webapp.errors import BadArtifact, meant, pointer_token, printable
from webapp.ml.image_models import declared
from webapp.ml.schema import Learned, Picture, Schema
from webapp.ml.schema.documents import LONGEST_EXAMPLE
from webapp.wording import said

if TYPE_CHECKING:
    import pandas as pd

PROBABILITIES: Final = (0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99)
MOST_CATEGORIES: Final = 50
#: characters that half of the values of a category have at most
LONGEST_NAME: Final = 60
LONGEST_TEXT: Final = 10_000
MOST_CLASSES: Final = 100
#: Items that a ranking answers with where nobody says.
USUAL_TOP: Final = 5
_FEW_FLOAT_CLASSES = 2


def infer_schema(
    frame: pd.DataFrame,
    target: pd.Series[Any],
    *,
    task: str | None = None,
    target_name: str,
    edits: dict[str, Any] | None = None,
    classes: Sequence[Any] | None = None,
    probabilities: bool | None = None,
) -> Schema:
    """The schema of `frame`'s columns (rows × features) and of `target`.

    `edits` is {"features": {name: {label, unit, minimum, …}}, "output": {…}}. `classes` gives the order of
    the model's probabilities when it is known. Raises BadArtifact for what can not be a schema.
    """
    if len(frame) == 0 or len(frame.columns) == 0:
        raise BadArtifact(said("Give at least one sample row and one column to infer a schema from."))
    task = task or _task(target)
    output: dict[str, Any] = {
        "kind": task,
        "target": target_name,
        "label": words(target_name),
        "classes": [],
        "probabilities": task == "classification" if probabilities is None else probabilities,
    }
    if task == "classification":
        known = _own(target.dropna().unique().tolist() if classes is None else list(classes))
        ordered = sorted(known, key=lambda v: (str(type(v)), v)) if classes is None else known
        output["classes"] = [{"value": value, "label": str(value)} for value in ordered]
    images = declared(edits)
    features = [
        {"name": name, "label": words(name)} if name == images else _feature(str(name), frame[name])
        for name in frame.columns
    ]
    schema = Schema.from_dict(_edited(features, output, edits or {}))
    return _looked_at(schema, frame) if schema.image else schema


def words(name: str) -> str:
    """`mean_radius` → `Mean radius`."""
    text = name.replace("_", " ").strip() or name
    return text[:1].upper() + text[1:]


def _looked_at(schema: Schema, frame: pd.DataFrame) -> Schema:
    """With the range of the images' brightness, and one of them as example."""
    import pandas as pd

    [feature], texts = schema.features, frame.iloc[:, 0].dropna()
    checked = [schema.check({feature.name: text}) for text in texts]
    pictures = [c.values[0] for c in checked if not c.problems and isinstance(c.values[0], Picture)]
    if not pictures:
        told = checked[0].problems[0].detail if checked else said("its column is empty")
        raise BadArtifact(said("No image of the sample can be used: {problem}.", problem=told))
    learned = _learned(pd.Series([picture.brightness for picture in pictures]), 0.0)
    quantiles = tuple((p, v) for p, v in learned["quantiles"])
    example = feature.example or next((str(p) for p in pictures if len(p) <= LONGEST_EXAMPLE), None)
    seen = Learned(learned["minimum"], learned["maximum"], quantiles)
    return Schema((replace(feature, learned=seen, example=example),), schema.output)


def _task(target: pd.Series[Any]) -> str:
    if target.dtype.kind != "f":
        few = target.nunique() <= max(20, len(target) // 20)
        return "regression" if target.dtype.kind in "iu" and not few else "classification"
    return "classification" if target.nunique() <= _FEW_FLOAT_CLASSES else "regression"


def _feature(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    present = column.dropna()
    missing = 1 - len(present) / len(column)
    feature: dict[str, Any] = {"name": name, "label": words(name), "nullable": missing > 0}
    values = set(present.map(type)) if present.dtype.kind == "O" else set()
    if present.dtype.kind == "b" or values == {bool}:
        return feature | {"kind": "boolean", "learned": {"missing": missing}}
    if present.dtype.kind in "iuf":
        integral = present.dtype.kind in "iu"
        return feature | {"kind": "integer" if integral else "number", "learned": _learned(present, missing)}
    return feature | _worded(present, missing)


def _learned(present: pd.Series[Any], missing: float) -> dict[str, Any]:
    if len(present) == 0:
        return {"missing": missing}
    quantiles = present.quantile(list(PROBABILITIES))
    return {
        "minimum": present.min().item(),
        "maximum": present.max().item(),
        "quantiles": [[float(p), float(v)] for p, v in quantiles.items()],  # type: ignore[arg-type]
        "missing": missing,
    }


def _worded(present: pd.Series[Any], missing: float) -> dict[str, Any]:
    counts = present.value_counts()
    seen = _own(counts.index[counts > 0].tolist())
    if all(isinstance(value, str) for value in seen) and (len(seen) > MOST_CATEGORIES or _prose(seen)):
        lengths = [len(value) for value in seen]
        return {
            "kind": "text",
            "example": seen[0][:1000],
            "learned": {"minimum": min(lengths), "maximum": max(lengths), "missing": missing},
            "max_length": LONGEST_TEXT,
        }
    return {
        "kind": "category",
        "choices": [{"value": value, "label": str(value)[:200]} for value in seen],
        "learned": {"missing": missing},
    }


def _prose(seen: list[str]) -> bool:
    """Whether few different values are sentences all the same."""
    return bool(seen) and median(len(value) for value in seen) > LONGEST_NAME


def _own(values: list[Any]) -> list[Any]:
    """numpy scalars as python's own."""
    return [value.item() if hasattr(value, "item") else value for value in values]


def _edited(features: list[dict[str, Any]], output: dict[str, Any], edits: dict[str, Any]) -> dict[str, Any]:
    if stray := edits.keys() - {"features", "output"}:
        name = min(map(str, stray))
        hint = meant(name, ("features", "output")) or "."
        raise BadArtifact(
            said(
                "Schema edits have no member “{name}”; they may have features and output{hint}",
                name=printable(name)[:60],
                hint=hint,
            )
        )
    by_name, of_output = edits.get("features", {}), edits.get("output", {})
    for place, members in (("#/features", by_name), ("#/output", of_output)):
        if not isinstance(members, dict):
            raise BadArtifact(said("{where} of the schema edits must be an object.", where=place))
    names = [feature["name"] for feature in features]
    for name, members in by_name.items():
        if name not in names:
            raise BadArtifact(
                said(
                    "Schema edits name “{name}”, which is not a column of the sample{hint}",
                    name=printable(name)[:60],
                    hint=meant(name, names) or ".",
                )
            )
        if not isinstance(members, dict):
            raise BadArtifact(
                said(
                    '#/features/{name} must be an object such as {{"label": "…"}}.', name=pointer_token(name)
                )
            )
    merged = [feature | by_name.get(feature["name"], {}) for feature in features]
    values = [choice["value"] for choice in output["classes"]]
    edited = of_output.get("classes", output["classes"])
    if not isinstance(edited, list) or values != [_value(choice) for choice in edited]:
        raise BadArtifact(
            said("#/output/classes must keep the model's values and order: {known}.", known=str(values)[:400])
        )
    if of_output.get("kind") == "ranking":
        of_output = {"top": min(USUAL_TOP, len(values))} | of_output
    return {"features": merged, "output": output | of_output}


def _value(choice: object) -> object:
    return choice.get("value") if isinstance(choice, dict) else None
