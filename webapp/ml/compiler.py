"""Estimator → ONNX, kept only if it gives the estimator's own answers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import product
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np

from webapp.errors import BadArtifact, ModelFailed
from webapp.ml import texts
from webapp.ml.engines import Answers, OnnxEngine, SklearnEngine
from webapp.ml.layout import Layout, Rows
from webapp.ml.onnx_files import refuse_lone_class
from webapp.ml.probes import probes
from webapp.ml.schema import Feature, Schema
from webapp.ml.trees import splits_beyond_floats
from webapp.wording import Figure, said

TOLERANCE: Final = 1e-5
#: texts that may stand for a missing string, which ONNX has no value for
SENTINELS: Final = ("", "nan", "None")


class Compiled(NamedTuple):
    """`onnx` and `layout` are None where scikit-learn has to serve; `reason` says why, in one sentence.

    `largest` is the largest difference on the `rows` compared: of probabilities, relative for values of a regression,
    0 where labels are all there is. `single` is a graph in single precision that
    agrees but for rounding, where that is not enough.
    """

    onnx: bytes | None
    layout: Layout | None
    reason: str
    rows: int = 0
    largest: float = 0.0
    single: tuple[bytes, Layout] | None = None


class _Differs(Exception):
    """The graph does not give the estimator's answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def compile_onnx(original: SklearnEngine, schema: Schema, reference: Rows) -> Compiled:
    """Convert, and compare on `reference` plus synthetic rows (see `probes`).

    Labels must be equal, probabilities within 1e-5, regression values within a relative 1e-5. Where the
    estimator fails on a synthetic row there is nothing to agree with, and scikit-learn serves.
    """
    if splits_beyond_floats(original.estimator):  # the converter searches for such a threshold for ever
        return Compiled(
            None, None, said("A tree splits on missing values, which the converter does not know.")
        )
    rows = [*reference, *probes(schema, reference)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # converters warn about what the comparison decides
        try:
            expected = original.answer(rows)
        except Exception as error:  # noqa: BLE001 — a model is foreign code and may raise anything
            reason = said(
                "It fails on values its schema allows ({error}); ONNX would answer.", error=_told(error)
            )
            return Compiled(None, None, reason)
        reasons: list[tuple[int, str]] = []
        single: tuple[bytes, Layout] | None = None
        readied = texts.readied(original.estimator, schema.names)
        for layout in _layouts(original.layout, schema):
            if readied:
                layout = _with_texts(layout, readied.dtypes)
            try:
                data = _convert(
                    readied.estimator if readied else original.estimator,
                    layout,
                    readied.options if readied else {},
                )
                actual = OnnxEngine(data, layout, schema.output).answer(rows)
            except (ModelFailed, BadArtifact) as error:
                reasons.append((1, error.detail))
                continue
            except Exception as error:  # noqa: BLE001 — converters raise anything for what they do not know
                reasons.append((2, said("It can not be converted to ONNX: {error}.", error=_told(error))))
                continue
            try:
                largest = _compare(actual, expected, rows)
                reason = said("ONNX agrees with scikit-learn on {rows} rows.", rows=len(rows))
                return Compiled(data, layout, reason, len(rows), largest, single)
            except _Differs as difference:
                reasons.append((0, difference.reason))
                if single is None and "float64" not in layout.dtypes and _by_rounding(actual, expected, rows):
                    single = data, layout
    return Compiled(
        None,
        None,
        min(reasons, key=itemgetter(0))[1] if reasons else said("It takes texts, which are not converted."),
        single=single,
    )


def _by_rounding(actual: Answers, expected: Answers, rows: Rows) -> bool:
    """Whether a graph may differ by its precision alone: missing values, which know none, are answered alike."""
    gaps = [i for i, row in enumerate(rows) if None in row]
    if not gaps:
        return True
    try:
        _compare(_at(actual, gaps), _at(expected, gaps), [rows[i] for i in gaps])
    except _Differs:
        return False
    return True


def _at(answers: Answers, places: list[int]) -> Answers:
    values, shares = answers
    return [values[i] for i in places], shares and [shares[i] for i in places]


def _layouts(trained: Layout, schema: Schema) -> Iterator[Layout]:
    """What to try, cheapest at serving first; doubles only where floats do not agree."""
    if schema.image:
        yield from (Layout("images", ("rows",), (number,)) for number in ("float32", "float64"))
        return
    if all(map(_numeric, schema.features)):
        yield Layout("matrix", ("rows",), ("float32",))
        yield Layout("matrix", ("rows",), ("float64",))
    if trained.kind == "matrix":
        return
    gaps = any(feature.nullable for feature in schema.features if not _numeric(feature))
    for number, missing in product(("float32", "float64"), SENTINELS if gaps else SENTINELS[:1]):
        dtypes = tuple(_dtype(feature, number) for feature in schema.features)
        yield Layout("columns", schema.names, dtypes, missing)


def _dtype(feature: Feature, number: str) -> str:
    if _numeric(feature):
        return number
    return "str?" if feature.nullable else "str"


def _numeric(feature: Feature) -> bool:
    """Numbers to the model, whatever they are to people."""
    if feature.kind == "category":
        return bool(feature.choices) and not any(isinstance(choice.value, str) for choice in feature.choices)
    return feature.kind != "text"


def _with_texts(layout: Layout, dtypes: dict[str, str]) -> Layout:
    pairs = zip(layout.names, layout.dtypes, strict=True)
    return layout._replace(dtypes=tuple(dtypes.get(name, dtype) for name, dtype in pairs))


def _convert(estimator: Any, layout: Layout, options: dict[int, dict[str, Any]]) -> bytes:
    from skl2onnx import to_onnx  # heavy: brings scikit-learn and onnx, and only publishing converts
    from skl2onnx.common import data_types as types

    of = {
        "float32": types.FloatTensorType,
        "float64": types.DoubleTensorType,
        "int64": types.Int64TensorType,
    }
    if layout.kind in ("matrix", "images"):
        inputs = [(layout.names[0], of[layout.dtypes[0]]([None, estimator.n_features_in_]))]
    else:
        inputs = [
            (name, of.get(dtype, types.StringTensorType)([None, 1]))
            for name, dtype in zip(layout.names, layout.dtypes, strict=True)
        ]
    plain = {"zipmap": False}  # a tensor of probabilities, not a list of maps
    try:
        graph = to_onnx(estimator, initial_types=inputs, options={id(estimator): plain} | options)
    except NameError:  # raised for estimators that have no such option
        graph = to_onnx(estimator, initial_types=inputs, options=options)
    for node in graph.graph.node:
        refuse_lone_class(node)
    data: bytes = graph.SerializeToString()
    return data


def _compare(actual: Answers, expected: Answers, rows: Rows) -> float:
    """The largest difference; raises _Differs where it is too large."""
    (values, shares), (true_values, true_shares) = actual, expected
    if isinstance(true_values[0], float) and true_shares is None:
        return _compare_values(np.array(values), np.array(true_values))
    wrong = sum(a != b or type(a) is not type(b) for a, b in zip(values, true_values, strict=True))
    if wrong:
        raise _Differs(
            said(
                "ONNX answers with another class than scikit-learn on {wrong} of {rows} rows.",
                wrong=wrong,
                rows=len(rows),
            )
        )
    if true_shares is None:
        return 0.0
    most = float(np.abs(np.array(shares) - np.array(true_shares)).max())
    if most > TOLERANCE:
        raise _Differs(
            said("ONNX differs from scikit-learn by up to {most} in probability.", most=Figure(f"{most:.2g}"))
        )
    return most


def _compare_values(values: Any, true_values: Any) -> float:
    off = ~np.isclose(values, true_values, rtol=TOLERANCE, atol=1e-9)
    wrong = int(off.sum())
    if wrong:
        raise _Differs(
            said("ONNX differs from scikit-learn on {wrong} of {rows} rows.", wrong=wrong, rows=len(values))
        )
    apart, size = np.abs(values - true_values), np.abs(true_values)
    return float(np.divide(apart, size, out=np.zeros_like(apart), where=size > 1e-4).max())


def _told(error: Exception) -> str:
    """The first sentence of what a library says, short enough for a table."""
    text = " ".join(str(error).split())
    unknown = re.search(r"calculator for type '<class '[\w.]*?(\w+)'>'", text)
    if unknown:
        return said("the converter does not know {name}", name=unknown[1])
    return (
        f"{type(error).__name__}: {text[:160].split('. ')[0].rstrip('.')}" if text else type(error).__name__
    )
