from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from webapp.ml.chamber import parcel
from webapp.ml.packaging import Package
from webapp.ml.reports import manifest_told, tidy, to_keep, told
from webapp.wording import Said, said


def unpacked(made: Package, **changes: Any) -> Package:
    header = {"manifest": made.manifest | changes}
    return parcel.unpack(header, made.files, format="skops", source="")


def test_a_parcel_comes_back_as_it_was_written(iris_package: Package) -> None:
    with tempfile.TemporaryFile() as file:
        parcel.write(file, {"manifest": iris_package.manifest}, iris_package.files)
        header, files = parcel.read(file)
    made = parcel.unpack(header, files, format="skops", source="")
    assert (made.files, made.schema) == (iris_package.files, iris_package.schema)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:8],
        lambda data: b"",
        lambda data: b"\xff" * 99,
    ],
)
def test_a_parcel_of_another_length_is_garbage(
    iris_package: Package, spoil: Callable[[bytes], bytes]
) -> None:
    with tempfile.TemporaryFile() as file:
        parcel.write(file, {"manifest": iris_package.manifest}, iris_package.files)
        file.seek(0)
        data = spoil(file.read())
        file.seek(0)
        file.truncate()
        file.write(data)
        file.flush()
        with pytest.raises(parcel.Garbage):
            parcel.read(file)


def test_no_parcel_brings_in_a_pickle(iris_package: Package) -> None:
    assert unpacked(iris_package, trusted=True, format="joblib").manifest["trusted"] is False
    assert unpacked(iris_package, trusted=True, format="joblib").manifest["format"] == "skops"
    for name in ("model.joblib", "../model.skops", "model.skops\n", "Model.json", "manifest"):
        with tempfile.TemporaryFile() as file:
            parcel.write(file, {"manifest": {}}, {name: b"x"})
            with pytest.raises(parcel.Garbage):
                parcel.read(file)


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "0" * 64},
        {"schema": {}},
        {"schema_hash": "0"},
        {"engines": {}},
        {"engines": {"one": "other", "many": "onnx"}},
        {"onnx": {"file": "other.onnx"}, "engines": {"one": "onnx", "many": "onnx"}},
        {"onnx": [], "engines": {"one": "onnx", "many": "onnx"}},
    ],
)
def test_a_manifest_that_serving_could_not_follow_is_garbage(
    iris_package: Package, changes: dict[str, Any]
) -> None:
    with pytest.raises(parcel.Garbage):
        unpacked(iris_package, **changes)


def test_a_graph_is_the_one_that_was_given(iris_package: Package) -> None:
    graph = iris_package.files["compiled.onnx"]
    digest = hashlib.sha256(graph).hexdigest()
    files = {"model.onnx": graph, "compiled.onnx": graph, "model.skops": b""}
    header = {"manifest": iris_package.manifest | {"digest": digest}}
    assert parcel.unpack(header, files, format="onnx", source=digest).files == files
    with pytest.raises(parcel.Garbage):
        parcel.unpack(header, files, format="onnx", source="0" * 64)


def test_engines_to_pick_from_are_tidied_too(iris_package: Package) -> None:
    engines = iris_package.manifest["engines"] | {"options": [{"name": "onnx", "one_us": [1]}, 3]}
    options = unpacked(iris_package, engines=engines).manifest["engines"]["options"]
    assert options == [{"name": "onnx", "offered": False, "exact": False}]


def test_what_a_manifest_says_is_tidied_too(iris_package: Package) -> None:
    said = ["Only {n} rows.", {"n": 3}]
    engines = iris_package.manifest["engines"] | {"reason": ["{x.__class__}", {"x": "1"}]}
    made = unpacked(iris_package, engines=engines, warnings=[said, ["{0}", {}], "\ud800" * 3000, {}])
    assert made.manifest["warnings"] == [said, "", "\ufffd" * 2000, ""]
    assert made.manifest["engines"]["reason"] == ""
    assert unpacked(iris_package, warnings={"x": 1}).manifest["warnings"] == []


def test_files_are_described_anew(iris_package: Package) -> None:
    false = {name: {"sha256": "0", "bytes": 0} for name in iris_package.files}
    assert unpacked(iris_package, files=false).manifest["files"] == iris_package.manifest["files"]


def test_a_report_is_what_it_should_be_and_nothing_else() -> None:
    good = {
        "types": {"builtins.str": 3},
        "refused": ["os.system"],
        "conversion": {"done": True, "reason": "x"},
        "parity": {"rows": 3, "largest": 0.5},
        "engines": [{"name": "onnx", "offered": True, "exact": False, "reason": "x", "one_us": 1.5}],
        "metrics": {"on": "test data", "accuracy": 1.0},
        "sizes": {"model": 3},
        "seconds": {"reading": 0.5},
        "sandbox": {"landlock": 7, "seccomp": True},
    }
    assert tidy(good) == good
    assert tidy(good | {"more": 1}) == good
    assert tidy([]) == tidy({"conversion": 3}) == {}
    assert tidy({"types": {"a": "x", "b": 10**30, "c": float("nan")}}) == {"types": {}}
    assert tidy({"refused": ["\ud800" * 1000] * 1000}) == {"refused": ["\ufffd" * 400] * 100}
    assert tidy({"metrics": {"on": "<b>", "confusion": [[1]]}}) == {"metrics": {}}
    strange = [{"name": 1}, 7, {"name": "x", "offered": 1, "bytes": "9", "agree": float("nan"), "more": 1}]
    assert tidy({"engines": strange}) == {"engines": [{"name": "x", "offered": False, "exact": False}]}


def test_reasons_stay_sentences_and_nothing_else_becomes_one() -> None:
    good = ["It fails ({error}).", {"error": ["the converter does not know {name}", {"name": "Odd"}]}]
    [engine] = told(tidy({"engines": [{"name": "x", "reason": good}]}))["engines"]
    assert engine["reason"] == "It fails (the converter does not know Odd)."
    assert isinstance(engine["reason"], Said) and engine["reason"].template == good[0]
    for hostile in (["{x.__class__}", {"x": "1"}], ["{x!r}", {"x": "1"}], ["{x}", {"x": "\ud800"}], 3, [[]]):
        kept = tidy({"conversion": {"done": False, "reason": hostile}})["conversion"]["reason"]
        assert kept in ("", "\ufffd"), hostile
        [one] = tidy({"engines": [{"name": "x", "reason": hostile}]})["engines"]
        assert one["reason"] == kept


def test_a_reason_too_long_to_be_a_sentence_is_kept_as_far_as_it_goes() -> None:
    assert to_keep(said("No column {name}.", name="x" * 3000)) == "No column " + "x" * 1990
    assert to_keep(said("No column {name}.", name="x")) == ["No column {name}.", {"name": "x"}]
    assert to_keep(said("{x}\ud800", x=1)) == "1\ufffd"


assert to_keep(said("{x}\ud800", x=1)) == "1\ufffd"


def test_reports_and_manifests_of_former_versions_are_told_as_they_are() -> None:
    old = {"conversion": {"done": True, "reason": "ONNX agrees."}, "engines": [{"name": "x", "reason": "y"}]}
    assert told(old) == old and told({}) == {}
    made = {"engines": {"one": "onnx", "reason": "ONNX agrees."}, "warnings": ["By order."]}
    assert manifest_told(made) == made
    strange = {"engines": 3, "warnings": [["{x.y}", {"x": 1}], 4]}
    assert manifest_told(strange) == {"engines": 3, "warnings": ["['{x.y}', {'x': 1}]", "4"]}
    assert manifest_told({}) == {}


def test_an_empty_file_is_garbage() -> None:
    with tempfile.TemporaryFile() as file, pytest.raises(parcel.Garbage):
        parcel.read(file)
