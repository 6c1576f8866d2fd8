from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from timeit import repeat
from typing import Any

import numpy as np
import pytest

from webapp.errors import BadArtifact, ModelFailed, NotFound, NotReady
from webapp.ml.packaging import Package
from webapp.ml.runtime import Predictor, Runtime
from webapp.ml.store import Store

ROW = (5.1, 3.5, 1.4, 0.2)


def forced(made: Package, engine: str) -> Predictor:
    engines = made.manifest["engines"] | {"one": engine, "many": engine}
    return Predictor.load(made.files.__getitem__, made.manifest | {"engines": engines})


def test_both_engines_give_the_same_answer(iris_package: Package, iris: Any) -> None:
    rows = [tuple(row) for row in iris[0].to_numpy().tolist()]
    onnx, sklearn = (forced(iris_package, name).predict(rows) for name in ("onnx", "sklearn"))
    assert (onnx.engine, sklearn.engine) == ("onnx", "sklearn")
    assert onnx.values == sklearn.values
    assert np.allclose(onnx.probabilities, sklearn.probabilities, atol=1e-5)


def test_an_answer_is_made_of_python_values_in_class_order(runtime: Runtime) -> None:
    answer = runtime.get("iris", 1).predict([ROW, (6.3, 3.3, 6.0, 2.5)])
    assert answer.values == ["setosa", "virginica"]
    assert [type(v) for v in answer.values] == [str, str]
    assert answer.probabilities is not None
    assert [sum(row) for row in answer.probabilities] == pytest.approx([1, 1])
    assert answer.probabilities[0].index(max(answer.probabilities[0])) == 0


def test_no_rows_give_no_answers(runtime: Runtime) -> None:
    assert runtime.get("iris", 1).predict([]).values == []


def test_a_version_is_loaded_once_and_forgotten_when_nothing_leads_to_it(runtime: Runtime) -> None:
    assert not runtime.ready("iris", 1)
    with ThreadPoolExecutor(8) as pool:
        loaded = set(pool.map(lambda _: runtime.get("iris", 1), range(32)))
    assert len(loaded) == 1 and runtime.ready("iris", 1)
    runtime.retain({("iris", 1)}, 0)
    runtime.retain(set(), 1)
    assert runtime.ready("iris", 1)
    runtime.retain(set(), 0)
    assert not runtime.ready("iris", 1)


def test_an_unknown_version_is_not_found_each_time(runtime: Runtime) -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            runtime.get("iris", 2)


def test_a_damaged_model_is_not_served(store: Store, runtime: Runtime) -> None:
    (store.root / "iris" / "1" / "compiled.onnx").write_bytes(b"x")
    with pytest.raises(BadArtifact):
        runtime.get("iris", 1)


@pytest.mark.parametrize("error", [BadArtifact("damaged"), NotFound("lost")])
def test_an_engine_whose_file_is_lost_after_the_start_is_not_ready(
    iris_package: Package, error: Exception
) -> None:
    files = dict(iris_package.files)

    def read(name: str) -> bytes:
        if name not in files:
            raise error
        return files[name]

    engines = iris_package.manifest["engines"] | {"one": "onnx", "many": "sklearn", "switch_at": 2}
    predictor = Predictor.load(read, iris_package.manifest | {"engines": engines})
    del files["model.skops"]
    with pytest.raises(NotReady, match=str(error)):
        predictor.predict([ROW] * 2)


def test_a_manifest_without_its_members_is_refused(iris_package: Package) -> None:
    for name in ("schema", "engines", "digest", "onnx"):
        manifest = {key: value for key, value in iris_package.manifest.items() if key != name}
        with pytest.raises(BadArtifact):
            Predictor.load(iris_package.files.__getitem__, manifest)


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": []},
        {"engines": "onnx"},
        {"engines": {"one": [], "many": "onnx", "switch_at": 1, "one_us": 1, "many_us_per_row": 1}},
        {"engines": {"one": "onnx", "many": "onnx", "switch_at": "x", "one_us": 1, "many_us_per_row": 1}},
        {"engines": {"one": "none", "many": "onnx", "switch_at": 1, "one_us": 1, "many_us_per_row": 1}},
        {"onnx": {"file": "compiled.onnx", "layout": []}},
        {
            "onnx": {
                "file": "compiled.onnx",
                "layout": {"kind": "matrix", "names": [], "dtypes": [], "missing": "", "categories": {}},
            }
        },
    ],
)
def test_a_manifest_of_another_shape_is_refused(iris_package: Package, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadArtifact):
        Predictor.load(iris_package.files.__getitem__, iris_package.manifest | wrong)


def test_an_endless_lookup_while_loading_is_refused(iris_package: Package) -> None:
    def endless(name: str) -> bytes:
        raise RecursionError

    with pytest.raises(BadArtifact):
        Predictor.load(endless, iris_package.manifest)


@pytest.mark.parametrize("error", [FileNotFoundError("/etc/x"), PermissionError("/etc/y"), ValueError("z")])
def test_a_failure_does_not_say_what_failed(iris_package: Package, error: Exception) -> None:
    predictor = forced(iris_package, "onnx")

    class Broken:
        def answer(self, rows: Any) -> Any:
            raise error

    predictor._engines["onnx"] = Broken()
    with pytest.raises(ModelFailed) as failed:
        predictor.predict([ROW])
    assert failed.value.detail == "The model has no answer to these values."


@pytest.mark.parametrize("engine", ["onnx", "sklearn"])
def test_eight_threads_never_get_each_others_answers(iris_package: Package, iris: Any, engine: str) -> None:
    predictor = forced(iris_package, engine)
    rows = [tuple(row) for row in iris[0].to_numpy().tolist()]
    alone = [predictor.predict([row]) for row in rows]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda row: predictor.predict([row]), rows * 3))
    assert together == alone * 3


@pytest.mark.parametrize("engine", ["onnx", "sklearn"])
def test_an_answer_that_is_no_finite_number_is_a_failure(iris_package: Package, engine: str) -> None:
    with pytest.raises(ModelFailed):
        forced(iris_package, engine).predict([(float("nan"),) * 4])
    with pytest.raises(ModelFailed):
        forced(iris_package, engine).predict([ROW, (float("nan"),) * 4])


def test_cost_grows_with_the_rows(runtime: Runtime) -> None:
    predictor = runtime.get("iris", 1)
    assert 0 < predictor.cost(1) < predictor.cost(1000) < 1


def test_one_row_takes_microseconds(runtime: Runtime) -> None:
    """Measured 5.5 µs for one row, 200 µs for 1,000; the bounds leave room for a busy machine."""
    predictor = runtime.get("iris", 1)
    seconds = partial(repeat, timer=time.thread_time)  # what other programs take is not counted
    assert min(seconds(lambda: predictor.predict([ROW]), number=200, repeat=5)) / 200 < 60e-6
    assert min(seconds(lambda: predictor.predict([ROW] * 1000), number=5, repeat=3)) / 5 < 3e-3


SERVE = """
import sys
import time
from functools import partial
from pathlib import Path
from webapp.ml.runtime import Runtime
from webapp.ml.store import Store
print(Runtime(Store(Path(sys.argv[1]))).get("iris", 1).predict([(5.1, 3.5, 1.4, 0.2)]).values)
assert not {"sklearn", "pandas"} & set(sys.modules)
"""


def test_a_worker_serves_onnx_without_scikit_learn(store: Store, runtime: Runtime) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", SERVE, str(store.root)]
    assert subprocess.check_output(command, cwd=root, text=True) == "['setosa']\n"
