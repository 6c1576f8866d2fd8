from __future__ import annotations

import functools
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch
from skops import io as skops_io

from webapp.errors import BadArtifact
from webapp.ml import loader
from webapp.ml.allowed_types import ALLOWED, FUNCTIONS
from webapp.ml.loader import load_pickle, load_skops, refuse_other_files, save_skops
from webapp.ml.packaging import package
from webapp.ml.trees import refuse_broken_trees


class Touch:
    """Creates the canary when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def canary(tmp_path: Path) -> Any:
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


def joblib_bytes(thing: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(thing, file)
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_json", ".json"), data)
    return file.getvalue()


def edited(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A good skops file whose schema was changed by hand."""
    good = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with zipfile.ZipFile(io.BytesIO(save_skops(good))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in (members | {"schema.json": json.dumps(schema).encode()}).items():
            archive.writestr(name, data)
    return file.getvalue()


def respelled(data: bytes, old: str, new: str) -> bytes:
    """The same skops file with one text of its schema written differently."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w") as archive:
        for name in source.namelist():
            text = source.read(name)
            assert name != "schema.json" or old.encode() in text
            archive.writestr(
                name, text.replace(old.encode(), new.encode()) if name == "schema.json" else text
            )
    return file.getvalue()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_under_any_name_is_never_opened(canary: Path, protocol: int) -> None:
    data = pickle.dumps(Touch(canary), protocol)
    for load in (load_skops, functools.partial(load_pickle, trusted=False)):
        with pytest.raises(BadArtifact):
            load(data)


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: [t], lambda t: np.array([t], object)])
def test_a_joblib_file_is_never_opened(canary: Path, wrap: Callable[[Touch], Any]) -> None:
    data = joblib_bytes(wrap(Touch(canary)))
    for load in (load_skops, functools.partial(load_pickle, trusted=False)):
        with pytest.raises(BadArtifact):
            load(data)


def test_a_zip_that_holds_pickles_is_never_unpickled(canary: Path) -> None:
    payload = pickle.dumps(Touch(canary))
    for data in (zipped(model=payload), zipped(schema_json=payload), zipped(schema_json=b"{}", x=payload)):
        with pytest.raises(BadArtifact):
            load_skops(data)


class Stranger(LogisticRegression):
    pass


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (FunctionTransformer(os.system), "system"),
        (FunctionTransformer(np.load), "load"),
        (FunctionTransformer(functools.partial(print, "x")), "functools.partial"),
        (FunctionTransformer(methodcaller("mean")), "operator.methodcaller"),
        (FunctionTransformer("".join), "join"),
        (Stranger(), "Stranger"),
    ],
)
def test_a_type_that_is_not_on_our_list_is_named(step: Any, named: str) -> None:
    try:
        data = skops_io.dumps(make_pipeline(step, LogisticRegression()))
    except Exception:
        pytest.skip("skops can not even write it")
    with pytest.raises(BadArtifact) as error:
        load_skops(data)
    assert named in error.value.detail


def read_from(reads: Any, **settings: Any) -> Any:
    """A fitted text model whose vectorizer was given another `input` afterwards."""
    model = make_pipeline(CountVectorizer(token_pattern=r"(?u)\b\w+\b"), LinearRegression())
    model.fit(["a b", "b c", "c"], [1.0, 2.0, 3.0])
    model[0].set_params(input=reads, **settings)
    return model


@pytest.mark.parametrize(
    "reads", ["filename", "file", np.str_("filename"), np.str_("content"), np.array("filename"), ["file"]]
)
def test_a_vectorizer_that_opens_files_is_refused(reads: Any) -> None:
    with pytest.raises(BadArtifact, match="may open files"):
        load_skops(skops_io.dumps(read_from(reads)))


def test_a_file_reader_is_found_however_its_name_is_spelled() -> None:
    data = skops_io.dumps(read_from("filename"))
    with pytest.raises(BadArtifact, match="may open files"):
        load_skops(respelled(data, '\\"filename\\"', '\\"\\\\u0066ilename\\"'))


@pytest.mark.parametrize(
    "hide",
    [
        lambda v: {"a": [({"b": v},)]},
        lambda v: np.array([v, None], object),
        lambda v: np.ma.MaskedArray(np.array([v, None], object), [True, False]),
        lambda v: FeatureUnion([("v", v)]),
        lambda v: FrozenEstimator(v),
    ],
)
def test_a_file_reader_is_found_wherever_it_hides(hide: Callable[[Any], Any]) -> None:
    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    model.extra = hide(CountVectorizer(input=np.str_("filename")))
    with pytest.raises(BadArtifact, match="may open files"):
        load_skops(skops_io.dumps(model))


def test_attributes_of_a_dict_are_searched_too() -> None:
    class Box(OrderedDict[str, Any]):
        pass

    box = Box()
    box.__dict__.update(values=len, hidden=CountVectorizer(input="file"))
    with pytest.raises(BadArtifact, match="may open files"):
        loader._refuse_file_readers(box)


@pytest.mark.parametrize("pattern", [np.str_("a"), b"a", ["a"], "a" * 201])
def test_a_token_pattern_is_a_short_text(pattern: Any) -> None:
    with pytest.raises(BadArtifact, match="token_pattern"):
        load_skops(skops_io.dumps(read_from("content", token_pattern=pattern)))


def test_a_vectorizer_of_texts_is_accepted() -> None:
    for pattern in (r"(?u)\b\w+\b", "a" * 200):
        data = save_skops(read_from("content", token_pattern=pattern))
        assert load_skops(data)[0].token_pattern == pattern
    assert load_skops(save_skops(read_from("content"))).predict(["c"]) == pytest.approx([3])


def test_an_object_that_looks_itself_up_for_ever_is_refused() -> None:
    empty = {"__class__": "FrozenEstimator", "__module__": "sklearn.frozen._frozen", "content": None}
    with pytest.raises(BadArtifact, match="RecursionError"):
        load_skops(edited(lambda schema: schema.update(empty)))


@pytest.mark.parametrize(
    "node",
    [
        {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
        {"__class__": "system", "__module__": "os", "__loader__": "TypeNode"},
        {"__class__": "ndarray", "__module__": "numpy", "__loader__": "FunctionNode"},
        {"__class__": "Pipeline", "__module__": "sklearn.pipeline", "__loader__": "TypeNode"},
        {"__class__": "dict", "__module__": "builtins", "__loader__": "ConstructorFromReduceNode"},
        {"__class__": ["dict"], "__module__": "builtins", "__loader__": ["DictNode"]},
        {"__class__": "dict", "__module__": "builtins"},
    ],
)
def test_a_node_under_a_false_flag_is_refused(node: dict[str, Any]) -> None:
    with pytest.raises(BadArtifact, match="not allowed"):
        load_skops(edited(lambda schema: schema["content"]["content"].update(extra=node)))


@pytest.mark.parametrize("protocol", [0, 1, 3, None, "2"])
def test_a_file_can_not_choose_an_older_reader(protocol: object) -> None:
    with pytest.raises(BadArtifact, match="another format"):
        load_skops(edited(lambda schema: schema.update(protocol=protocol)))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_UNPACKED", 2**24)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("bomb", bytes(2**24))
    with pytest.raises(BadArtifact, match="unpacks to more"):
        load_skops(file.getvalue())


def archived(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED, claim: int = 0) -> bytes:
    """An archive; `claim` is what its last member says to be its size."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    made = bytearray(file.getvalue())
    if claim:
        struct.pack_into("<I", made, made.rindex(b"PK\x01\x02") + 24, claim)
    return bytes(made)


LARGE = {"schema.json": b"{}", "bomb": bytes(2**26)}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (archived(LARGE, claim=100), "unpacks to more"),
        (archived({"schema.json": b"{}", "bomb": archived({"data.npy": bytes(2**26)})}), "unpacks to more"),
        (archived(LARGE, zipfile.ZIP_BZIP2, claim=100), "packed in a way that is not read"),
        (archived(LARGE, zipfile.ZIP_LZMA, claim=100), "packed in a way that is not read"),
        (
            archived({"schema.json": b"{}", "bomb": archived(LARGE, zipfile.ZIP_BZIP2)}),
            "packed in a way that is not read",
        ),
    ],
    ids=["deflate", "within", "bzip2", "lzma", "bzip2 within"],
)
def test_a_zip_bomb_that_claims_to_be_small_is_never_unpacked(
    monkeypatch: pytest.MonkeyPatch, data: bytes, words: str
) -> None:
    monkeypatch.setattr(loader, "MAX_UNPACKED", 2**20)
    tracemalloc.start()
    with pytest.raises(BadArtifact, match=words):
        load_skops(data)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 2**24


@pytest.mark.parametrize(
    ("ids", "refused"), [([7] * 50, False), (range(1, 51), True), ([0] * 50, True), ([True] * 50, True)]
)
def test_a_member_that_is_read_often_counts_as_often(
    monkeypatch: pytest.MonkeyPatch, ids: list[int], refused: bool
) -> None:
    estimator = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    estimator.extra = [np.zeros(2**14)]
    with zipfile.ZipFile(io.BytesIO(save_skops(estimator))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    (node,) = schema["content"]["content"]["extra"]["content"]
    schema["content"]["content"]["extra"]["content"] = [node | {"__id__": given} for given in ids]
    data = archived(members | {"schema.json": json.dumps(schema).encode()})
    monkeypatch.setattr(loader, "MAX_UNPACKED", 2**20)
    if refused:
        with pytest.raises(BadArtifact, match="unpacks to more"):
            load_skops(data)
    else:
        assert len(load_skops(data).extra) == 50


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x80\x04.", zipped(schema_json=b"[" * 100_000)])
def test_nonsense_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(BadArtifact):
        load_skops(data)


def test_a_forest_that_points_outside_itself_is_refused(iris: Any) -> None:
    forest = RandomForestClassifier(2, random_state=0).fit(*iris)
    tree = forest.estimators_[0].tree_
    tree.children_left[0] = 10**9
    with pytest.raises(BadArtifact, match="points outside"):
        load_skops(save_skops(forest))


def test_a_broken_tree_is_found_behind_an_attribute_of_a_dict(iris: Any) -> None:
    forest = RandomForestClassifier(2, random_state=0).fit(*iris)
    forest.estimators_[0].tree_.children_left[0] = 10**9
    box = Bunch(values=len)
    box.__dict__["forest"] = forest
    with pytest.raises(BadArtifact, match="points outside"):
        refuse_broken_trees({"box": box})


def test_a_boosted_tree_that_asks_for_a_missing_feature_is_refused(iris: Any) -> None:
    boosted = HistGradientBoostingClassifier(max_iter=2).fit(*iris)
    boosted._predictors[0][0].nodes["feature_idx"][0] = 99
    with pytest.raises(BadArtifact, match="does not exist"):
        load_skops(save_skops(boosted))


def test_a_boosted_tree_that_asks_for_a_category_where_there_is_none_is_refused(iris: Any) -> None:
    boosted = HistGradientBoostingClassifier(max_iter=2).fit(*iris)
    for tree in boosted._predictors[0]:
        tree.nodes["is_categorical"] = 1 - tree.nodes["is_leaf"]
        tree.raw_left_cat_bitsets = np.zeros((1, 8), np.uint32)
    with pytest.raises(BadArtifact, match="points outside"):
        load_skops(save_skops(boosted))


def _wide(model: Any, iris: Any) -> Any:
    X = np.hstack([iris[0]] * 9)
    fitted = model.fit(X, iris[1])
    for holder in (fitted, *np.ravel(getattr(fitted, "estimators_", []))):
        holder.n_features_in_ = 4
    return fitted


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(2, random_state=0),
        GradientBoostingClassifier(n_estimators=2),
        HistGradientBoostingClassifier(max_iter=2),
    ],
)
def test_a_tree_that_reads_beyond_the_row_is_refused(iris: Any, model: Any) -> None:
    with pytest.raises(BadArtifact, match="other features than its model"):
        load_skops(save_skops(_wide(model, iris)))


def test_a_boosted_stage_that_writes_beyond_its_answer_is_refused(iris: Any) -> None:
    boosted = GradientBoostingClassifier(n_estimators=2, init="zero").fit(*iris)
    assert load_skops(save_skops(boosted)).predict(iris[0]).tolist() == boosted.predict(iris[0]).tolist()
    boosted.n_trees_per_iteration_ = 1
    with pytest.raises(BadArtifact, match="more trees a stage than classes"):
        load_skops(save_skops(boosted))


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state[1].fill(2**40),  # rows
        lambda state: state[2]["idx_end"].fill(10**9),
        lambda state: state[2]["is_leaf"].fill(0),
        lambda state: state.__setitem__(3, state[3][:, :1].copy()),  # bounds
        lambda state: state.__setitem__(6, 10**6),  # number of nodes
    ],
)
def test_a_tree_of_neighbours_that_points_outside_itself_is_refused(
    iris: Any, algorithm: str, spoil: Callable[[list[Any]], Any]
) -> None:
    nearest = KNeighborsClassifier(algorithm=algorithm).fit(*iris)
    assert load_skops(save_skops(nearest)).predict(iris[0]).tolist() == nearest.predict(iris[0]).tolist()
    state = [part.copy() if isinstance(part, np.ndarray) else part for part in nearest._tree.__getstate__()]
    spoil(state)
    nearest._tree.__setstate__(tuple(state))
    with pytest.raises(BadArtifact, match="points outside its"):
        load_skops(save_skops(nearest))


def test_something_that_can_not_predict_is_no_model() -> None:
    with pytest.raises(BadArtifact, match="no predict"):
        load_skops(skops_io.dumps({"a": [1, 2]}))


def test_a_usual_pipeline_comes_back_with_the_same_answers(mixed: Any) -> None:
    from webapp.ml.demos.purchases import pipeline, sample

    X, y = sample(200)
    fitted = pipeline().fit(X, y)
    assert load_skops(save_skops(fitted)).predict(X).tolist() == fitted.predict(X).tolist()


def test_a_numeric_function_may_transform() -> None:
    data = save_skops(
        make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit([[0], [1]], [0, 1])
    )
    assert load_skops(data).predict([[3]]).tolist() == [1]


def test_an_operator_may_vouch_for_a_joblib_file(iris: Any) -> None:
    fitted = Stranger(max_iter=1000).fit(*iris)
    made = package(load_pickle(joblib_bytes(fitted), trusted=True), *iris, format="joblib")
    assert (made.manifest["format"], made.manifest["trusted"]) == ("joblib", True)
    with pytest.raises(BadArtifact):
        package(fitted, *iris, format="skops")


def test_the_lists_name_no_callable_that_reaches_outside() -> None:
    """Every allowed type is a class, and no allowed function is a builtin or comes from a system module."""
    modules = {name.split(".")[0] for name in ALLOWED | FUNCTIONS}
    assert modules == {"builtins", "collections", "numpy", "scipy", "sklearn"}
    assert not any(
        name.rsplit(".", 1)[1] in {"load", "save", "partial", "eval", "exec"} for name in FUNCTIONS
    )


@pytest.mark.parametrize("format", ["skops", "onnx"])
def test_a_pickle_under_another_name_is_told_from_its_first_bytes(format: str) -> None:
    fitted = LinearRegression().fit([[0.0], [1.0]], [0, 1])
    compressed = io.BytesIO()
    joblib.dump(fitted, compressed, compress=3)
    for data in (*(pickle.dumps(fitted, protocol) for protocol in range(2, 6)), compressed.getvalue()):
        with pytest.raises(BadArtifact, match="a pickle or joblib file under another name"):
            refuse_other_files(data[:4], format)


def test_other_files_under_the_name_of_a_model_are_told_too() -> None:
    with pytest.raises(BadArtifact, match="not a whole skops file"):
        refuse_other_files(b"a,b,", "skops")
    with pytest.raises(BadArtifact, match="an archive, not an ONNX graph"):
        refuse_other_files(b"PK\x03\x04", "onnx")
    refuse_other_files(save_skops(LinearRegression().fit([[0.0], [1.0]], [0, 1]))[:4], "skops")
    refuse_other_files(b"\x08\x0a\x12\x08", "onnx")
