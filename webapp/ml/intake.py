"""Everything that is done to a model file and its samples on the way to a version, and what is reported of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from webapp.errors import BadArtifact
from webapp.ml.loader import load_pickle, load_skops
from webapp.ml.packaging import Package, package
from webapp.ml.tables import read_table
from webapp.wording import said

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[str], None]
#: In their order; which of them take long depends on the model.
STAGES: Final = ("reading", "loading", "learning", "converting", "measuring", "scoring", "writing")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made of a model file; `format` is skops, onnx or joblib."""

    format: str
    target: str
    card: dict[str, str] = field(default_factory=dict)
    #: Corrections of the inferred schema: {"features": {name: {...}}, "output": {...}}.
    edits: dict[str, Any] = field(default_factory=dict)
    #: The operator vouches for a file that may run code when it is read.
    trusted: bool = False
    #: Of `options.WISHES`.
    engine: str = "auto"


def prepare(
    order: Order,
    model: bytes,
    train: bytes,
    test: bytes | None,
    *,
    report: dict[str, Any],
    tell: Tell = lambda _stage: None,
) -> Package:
    """A package ready to be stored; `train` and `test` are CSV or Parquet files with the column `order.target`.

    `report`, which is kept in the manifest, is filled on the way, so that a refusal leaves in it what was found by
    then. Raises BadArtifact with what to correct.
    """
    clock = _Clock(report, tell)
    report["sizes"] = {"model": len(model), "data": len(train)} | ({"test": len(test)} if test else {})
    clock("reading")
    X, y = read_table(train, order.target, said("The training data"))
    if y.nunique() < 2:
        raise BadArtifact(
            said(
                "The column {column} has one value only; give a sample with several.",
                column=repr(order.target)[:100],
            )
        )
    tested = _test(test, order.target, list(X.columns))
    clock("loading")
    made = package(
        _load(order, model, report),
        X,
        y,
        format=order.format,
        test=tested,
        card=order.card,
        edits=order.edits,
        engine=order.engine,
        report=report,
        tell=clock,
    )
    clock("writing")
    report["sizes"] |= {name: len(data) for name, data in made.files.items()}
    made.manifest["report"] = report
    return made


class _Clock:
    """Tells of each stage, and keeps the seconds that it took in the report."""

    def __init__(self, report: dict[str, Any], tell: Tell) -> None:
        self._seconds: dict[str, float] = report.setdefault("seconds", {})
        self._tell = tell
        self._stage, self._since = "", perf_counter()

    def __call__(self, stage: str) -> None:
        now = perf_counter()
        if self._stage:
            self._seconds[self._stage] = round(now - self._since, 3)
        self._stage, self._since = stage, now
        self._tell(stage)


def _load(order: Order, model: bytes, report: dict[str, Any]) -> Any:
    if order.format == "onnx":
        return model
    if order.format == "skops":
        return load_skops(model, report)
    return load_pickle(model, trusted=order.trusted)


def _test(data: bytes | None, target: str, columns: list[str]) -> tuple[pd.DataFrame, pd.Series[Any]] | None:
    if data is None:
        return None
    X, y = read_table(data, target, said("The test data"))
    if lacking := [name for name in columns if name not in X.columns]:
        raise BadArtifact(
            said(
                "The test data has no column {column}, which the training data has.",
                column=repr(lacking[0])[:100],
            )
        )
    return X, y
