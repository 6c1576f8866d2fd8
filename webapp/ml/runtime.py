"""Loaded versions, ready to answer. Imports neither scikit-learn nor pandas until a version needs them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import Lock
from typing import Any, NamedTuple

from webapp.errors import BadArtifact, ModelFailed, NotFound, NotReady
from webapp.ml.engines import Engine, OnnxEngine, SklearnEngine, decided
from webapp.ml.layout import Layout, Rows
from webapp.ml.loader import load_pickle, load_skops
from webapp.ml.schema import Rule, Schema
from webapp.ml.store import Store
from webapp.wording import said

#: A damaged file is repaired by hand.
RETRY_SECONDS = 60


class Answer(NamedTuple):
    """One entry a row: a class value or a float, and rows × classes in the schema's class order."""

    values: list[Any]
    probabilities: list[list[float]] | None
    engine: str


class Predictor:
    """One version with its engines; chooses between them by the number of rows, as measured at publish."""

    def __init__(self, schema: Schema, digest: str, costs: dict[str, Any], engines: dict[str, Any]) -> None:
        self.schema = schema
        #: what turns probabilities into a class; None where the model's own answer is the most probable one
        self.rule = Rule(schema.output.thresholds) if schema.output.thresholds else None
        #: hex SHA-256 of the model file
        self.digest = digest
        self._one: str = costs["one"]
        self._many: str = costs["many"]
        self._switch_at: int = costs["switch_at"]
        self._first: float = costs["one_us"] / 1e6
        self._next: float = costs["many_us_per_row"] / 1e6
        self._makers: dict[str, Callable[[], Engine]] = engines
        self._engines: dict[str, Engine] = {}
        self._lock = Lock()

    @classmethod
    def load(cls, reader: Callable[[str], bytes], manifest: dict[str, Any]) -> Predictor:
        """From the files of a published version, warmed up. Raises BadArtifact or ModelFailed."""
        try:
            schema = Schema.from_dict(manifest["schema"])
            makers = _makers(reader, manifest, schema)
            predictor = cls(schema, manifest["digest"], manifest["engines"], makers)
            predictor._engine(predictor._one)
            predictor.predict([schema.check(schema.example()).values])
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise BadArtifact(
                said("The manifest is not as serving needs it; publish the model again.")
            ) from error
        return predictor

    def predict(self, rows: Rows) -> Answer:
        """Answers for rows in schema order, as `Schema.check` gives them. Raises ModelFailed or NotReady."""
        name = self._one if len(rows) < self._switch_at else self._many
        if not rows:
            return Answer([], [] if self.schema.output.probabilities else None, name)
        engine = self._engines.get(name) or self._late(name)
        try:
            values, probabilities = engine.answer(rows)
        except ModelFailed:
            raise
        except Exception as error:
            # the kind of failure would tell a caller what its values touched
            raise ModelFailed(said("The model has no answer to these values.")) from error
        return Answer(values, probabilities, name)

    def engine_for(self, n_rows: int) -> str:
        return self._one if n_rows < self._switch_at else self._many

    def cost(self, n_rows: int) -> float:
        """Estimated seconds for so many rows on this version's publishing machine."""
        return self._first + max(0, n_rows - 1) * self._next

    def _late(self, name: str) -> Engine:
        try:
            return self._engine(name)
        except (BadArtifact, NotFound) as error:  # nothing that the caller sent is bad
            raise NotReady(error.detail, RETRY_SECONDS) from error

    def _engine(self, name: str) -> Engine:
        with self._lock:
            if name not in self._engines:
                self._engines[name] = decided(self._makers[name](), self.schema.output)
            return self._engines[name]


def _makers(
    reader: Callable[[str], bytes], manifest: dict[str, Any], schema: Schema
) -> dict[str, Callable[[], Engine]]:
    def onnx() -> Engine:
        entry = manifest["onnx"]
        return OnnxEngine(reader(entry["file"]), Layout.from_dict(entry["layout"]), schema.output)

    def sklearn() -> Engine:
        entry = manifest["sklearn"]
        data = reader(entry["file"])
        trusted = manifest.get("trusted") is True
        estimator = load_pickle(data, trusted=trusted) if manifest["format"] == "joblib" else load_skops(data)
        return SklearnEngine(estimator, Layout.from_dict(entry["layout"]), schema.output)

    return {"onnx": onnx, "sklearn": sklearn}


class Runtime:
    """Predictors by (model, version), each loaded once; safe between threads and greenlets."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loaded: dict[tuple[str, int], Predictor] = {}
        self._locks: dict[tuple[str, int], Lock] = {}

    def get(self, model: str, version: int) -> Predictor:
        """Raises NotFound, BadArtifact or ModelFailed; a failed load is tried again the next time."""
        loaded = self._loaded.get((model, version))
        return loaded if loaded is not None else self._load(model, version)

    def borrow(self, model: str, version: int) -> Predictor:
        """The one that is loaded, or else one for the caller alone, which is gone with it; raises as `get` does."""
        loaded = self._loaded.get((model, version))
        return loaded if loaded is not None else self._read(model, version)

    def ready(self, model: str, version: int) -> bool:
        return (model, version) in self._loaded

    def retain(self, wanted: Collection[tuple[str, int]], spare: int) -> None:
        """Forget versions that are not `wanted`, the longest loaded first, until so many are left of them.

        Requests that hold a predictor finish with it.
        """
        others = [key for key in self._loaded if key not in wanted]
        for key in others[: max(0, len(others) - spare)]:
            self._loaded.pop(key, None)
            self._locks.pop(key, None)

    def _load(self, model: str, version: int) -> Predictor:
        key = (model, version)
        with self._locks.setdefault(key, Lock()):  # setdefault is atomic, so all wait on one lock
            if key not in self._loaded:
                self._loaded[key] = self._read(model, version)
            return self._loaded[key]

    def _read(self, model: str, version: int) -> Predictor:
        manifest = self._store.manifest(model, version)
        return Predictor.load(lambda name: self._store.read(model, version, name), manifest)
