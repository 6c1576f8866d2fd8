"""The two things that can answer: an ONNX session, and the estimator itself. Both are safe to share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort

from webapp.errors import BadArtifact, ModelFailed
from webapp.ml.layout import Layout, Rows, feeder, framer
from webapp.ml.schema import Output, Rule
from webapp.wording import said

Answers = tuple[list[Any], list[list[float]] | None]
#: what onnxruntime puts before its words: a code, and a place in its own source
_ORIGIN = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |/onnxruntime_src/\S+:\d+ .*?\)(?: const)?(?: \[with [^]]*\])? "
)


class Engine(Protocol):
    """Rows (at least one, in schema order) → values and, for a classifier that has them, rows × classes."""

    def answer(self, rows: Rows) -> Answers: ...


class SklearnEngine:
    """A fitted estimator behind its training layout."""

    def __init__(self, estimator: Any, layout: Layout, output: Output) -> None:
        self.estimator = estimator
        self.layout = layout
        self._frame = framer(layout)
        self._scores: Callable[[Any], Any] | None = None
        if output.scored:
            self._scores = estimator.predict_proba if output.probabilities else _decisions(estimator)
        self._dtype = np.float64 if output.kind == "regression" else None
        threaded = [name for name in estimator.get_params() if name.endswith("n_jobs")]
        estimator.set_params(**dict.fromkeys(threaded, 1))  # a worker owns one core

    def answer(self, rows: Rows) -> Answers:
        frame = self._frame(rows)
        values = np.asarray(self.estimator.predict(frame), self._dtype).reshape(len(rows)).tolist()
        if self._scores is None:
            return _finite(values), None
        shares = self._scores(frame)
        if not np.isfinite(shares).all():
            raise ModelFailed(said("The model answered with a probability that is not a number."))
        return values, shares.tolist()


class OnnxEngine:
    """An ONNX session on one thread; raises BadArtifact if the runtime can not open the graph."""

    def __init__(self, data: bytes, layout: Layout, output: Output) -> None:
        self.session = open_session(data)
        self.layout = layout
        self._run = self.session.run
        self._feed = feeder(layout)
        labels, shares = _outputs(self.session, output)
        self._names = [name for name in (labels, shares) if name]
        classes = [choice.value for choice in output.classes]
        self.answer: Callable[[Rows], Answers] = self._regression
        if output.kind != "regression":
            #: None where the graph's labels already are the class values
            self._own = None if all(type(c) in (str, int) for c in classes) else {c: c for c in classes}
            self._classes = classes
            self.answer = {
                (True, True): self._classification,
                (True, False): self._labels,
                (False, True): self._shares,
            }[bool(labels), bool(shares)]

    def _classification(self, rows: Rows) -> Answers:
        labels, shares = self._run(self._names, self._feed(rows))
        return self._values(labels, len(rows)), _shares(shares, self._classes)

    def _labels(self, rows: Rows) -> Answers:
        return self._values(self._run(self._names, self._feed(rows))[0], len(rows)), None

    def _shares(self, rows: Rows) -> Answers:
        shares = _shares(self._run(self._names, self._feed(rows))[0], self._classes)
        return [self._classes[row.index(max(row))] for row in shares], shares

    def _regression(self, rows: Rows) -> Answers:
        values = self._run(self._names, self._feed(rows))[0].reshape(len(rows)).tolist()
        return _finite(values), None

    def _values(self, labels: Any, n_rows: int) -> list[Any]:
        values: list[Any] = labels.reshape(n_rows).tolist()
        return values if self._own is None else [self._own[value] for value in values]


def _decisions(estimator: Any) -> Callable[[Any], Any]:
    """The scores of a classifier without probabilities, rows × classes; raises BadArtifact where it has none."""
    if not hasattr(estimator, "decision_function"):
        raise BadArtifact(
            said(
                "A ranking needs a score for every item: the model has neither predict_proba nor "
                "decision_function."
            )
        )

    def decisions(frame: Any) -> Any:
        scores = np.asarray(estimator.decision_function(frame), np.float64)
        return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores

    return decisions


class DecidedEngine:
    """Another engine, with the classes that the output's thresholds lead to; the probabilities stay as they are."""

    def __init__(self, engine: Engine, output: Output) -> None:
        self._engine = engine
        self._choose = Rule(output.thresholds).choose
        self._classes = [choice.value for choice in output.classes]

    def answer(self, rows: Rows) -> Answers:
        shares = self._engine.answer(rows)[1] or []
        return [self._classes[self._choose(row)] for row in shares], shares


def decided(engine: Engine, output: Output) -> Engine:
    """The engine, asked by thresholds where there are any."""
    return DecidedEngine(engine, output) if output.thresholds else engine


def open_session(data: bytes) -> Any:
    """One thread, processor only. Raises BadArtifact if the runtime refuses the graph."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # it is no faster for one row, and keeps for ever what the largest question took
    options.enable_cpu_mem_arena = False
    try:
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BadArtifact(
            said(
                "onnxruntime {version} can not open this graph: {error}",
                version=ort.__version__,
                error=cause(error),
            )
        ) from error


def cause(error: Exception) -> str:
    """What a library says of an error, in one short line."""
    text = _ORIGIN.sub("", " ".join(str(error).split()))
    return text[:400] or type(error).__name__


def _outputs(session: Any, output: Output) -> tuple[str | None, str | None]:
    """Names of the label (or value) output and of the probability output."""
    outputs = session.get_outputs()
    floats = [o.name for o in outputs if o.type in ("tensor(float)", "tensor(double)")]
    maps = [o.name for o in outputs if o.type.startswith("seq(map(")]
    labels = [o.name for o in outputs if o.type in ("tensor(int64)", "tensor(string)", "tensor(bool)")]
    if output.kind == "regression":
        if not floats:
            raise BadArtifact(said("A regression graph needs a float output."))
        return floats[0], None
    shares = next(iter(maps + floats), None) if output.scored else None
    if not labels and not shares:
        raise BadArtifact(said("A classification graph needs an output of labels, int64 or string."))
    return (labels[0] if labels else None), shares


def _shares(raw: Any, classes: Sequence[Any]) -> list[list[float]]:
    if isinstance(raw, list):  # ZipMap: one {class: probability} a row
        raw = np.array([[row[c] for c in classes] for row in raw])
    shares: list[list[float]] = raw.tolist()
    good = isfinite(sum(shares[0])) if len(shares) == 1 else np.isfinite(raw).all()
    if not good:
        raise ModelFailed(said("The model answered with a probability that is not a number."))
    return shares


def _finite(values: list[Any]) -> list[Any]:
    if isinstance(values[0], float) and not all(map(isfinite, values)):
        raise ModelFailed(said("The model answered with a value that is not a finite number."))
    return values
