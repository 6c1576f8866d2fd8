"""Model files that try to run code, to reach outside themselves, or never to end: none may get anywhere."""

from __future__ import annotations

import io
import json
import os
import pickle
import stat
import zipfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skops import io as skops_io

from tests.ml.test_loader import Touch, edited, zipped
from tests.ml.test_onnx_files import PLACES, model

#: Names a pickle may come under; those that publishing knows as pickles are refused before they are opened.
EXTENSIONS = ("skops", "onnx", "joblib", "pkl", "pickle", "zip", "npy", "bin", "pt", "h5")
Files = Iterator[tuple[str, bytes]]


def hostile(folder: Path, canary: Path) -> Files:
    """Name (with its extension) and bytes of each; `canary` is what their code would make, or what they would read."""
    for part in (_pickles, _numpy, _archives, _strangers, _spoiled, _outside, _graphs):
        yield from part(folder, canary)


def _pickles(folder: Path, canary: Path) -> Files:
    for number, extension in enumerate(EXTENSIONS):
        protocol = number % (pickle.HIGHEST_PROTOCOL + 1)
        yield f"pickle-{protocol}.{extension}", pickle.dumps(Touch(canary), protocol)
    for wrap in (lambda t: t, lambda t: np.array([t], object)):
        file = io.BytesIO()
        joblib.dump(wrap(Touch(canary)), file)
        yield f"joblib-{len(file.getvalue())}.skops", file.getvalue()


def _numpy(folder: Path, canary: Path) -> Files:
    for save, kind in ((np.save, "npy"), (np.savez, "npz")):
        file = io.BytesIO()
        save(file, np.array([Touch(canary)], object), allow_pickle=True)  # type: ignore[operator]
        yield f"objects-{kind}.skops", file.getvalue()
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    objects = io.BytesIO()
    np.save(objects, np.array([Touch(canary)], object), allow_pickle=True)
    yield "objects-within.skops", _exchanged(skops_io.dumps(fitted), lambda name, _: objects.getvalue())
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    yield "huge-array.skops", _exchanged(skops_io.dumps(fitted), lambda name, _: huge.getvalue())


def _exchanged(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The skops file with every array in it exchanged for another."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(file, "w") as archive:
        for name in source.namelist():
            kept = source.read(name)
            archive.writestr(name, change(name, kept) if name.endswith(".npy") else kept)
    return file.getvalue()


def _archives(folder: Path, canary: Path) -> Files:
    payload = pickle.dumps(Touch(canary))
    yield "zip-of-pickle.skops", zipped(model=payload)
    yield "pickle-for-schema.skops", zipped(schema_json=payload)
    for number, name in enumerate(("../../escaped", str(canary), "a/../../escaped")):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("schema.json", "{}")
            archive.writestr(name, payload)
        yield f"zip-slip-{number}.skops", file.getvalue()
    link = zipfile.ZipInfo("schema.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, str(folder / "secret"))
    yield "zip-symlink.skops", file.getvalue()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("bomb", bytes(2**29))
    yield "zip-bomb.skops", file.getvalue()
    yield "deep-json.skops", zipped(schema_json=b"[" * 100_000)


def _strangers(folder: Path, canary: Path) -> Files:
    for name, function in (("system", os.system), ("load", np.load)):
        step = make_pipeline(FunctionTransformer(function), LogisticRegression())
        yield f"function-{name}.skops", skops_io.dumps(step)
    for module, name, loader in (
        ("os", "system", "FunctionNode"),
        ("os", "system", "TypeNode"),
        ("subprocess", "Popen", "ObjectNode"),
        ("builtins", "eval", "FunctionNode"),
        ("builtins", "dict", "ConstructorFromReduceNode"),
    ):
        node = {"__class__": name, "__module__": module, "__loader__": loader}
        yield f"node-{module}-{name}-{loader}.skops", edited(_extra(node))
    yield "old-protocol.skops", edited(lambda schema: schema.update(protocol=0))
    reads = make_pipeline(CountVectorizer(), LinearRegression()).fit(["ab cd", "ef"], [1.0, 2.0])
    reads[0].set_params(input="filename")
    yield "file-reader.skops", skops_io.dumps(reads)
    slow = make_pipeline(CountVectorizer(), LinearRegression()).fit(["ab cd", "ef"], [1.0, 2.0])
    slow[0].set_params(token_pattern="(a+)+$")
    yield "slow-pattern.skops", skops_io.dumps(slow)


def _extra(node: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda schema: schema["content"]["content"].update(extra=node)


def _spoiled(folder: Path, canary: Path) -> Files:
    X = [[float(i), float(i % 7)] for i in range(40)]
    forest = RandomForestClassifier(2, random_state=0).fit(X, [i % 2 for i in range(40)])
    forest.estimators_[0].tree_.children_left[0] = 10**9
    yield "tree-outside.skops", skops_io.dumps(forest)
    yield "nothing.skops", b""
    yield "half.skops", skops_io.dumps(LinearRegression().fit(X, range(40)))[:300]
    yield "nothing.onnx", b""
    yield "claims-2-gb.onnx", b"\x3a\xff\xff\xff\xff\x07" + bytes(100)
    yield "zeros.onnx", bytes(1000)


def _outside(folder: Path, canary: Path) -> Files:
    secret = folder / "secret"
    (folder / "symlink").symlink_to(secret)
    (folder / "hardlink").hardlink_to(secret)
    ways = {
        "parent": f"../../../../../../{secret}",
        "absolute": str(secret),
        "symlink": str(folder / "symlink"),
        "hardlink": str(folder / "hardlink"),
    }
    for place, (way, location) in product(PLACES, ways.items()):
        made = place()
        for tensor in _tensors(made):
            for entry in tensor.external_data:
                entry.value = location
        yield f"{place.__name__}-{way}.onnx", made.SerializeToString()


def _tensors(message: Any) -> Iterator[Any]:
    if isinstance(message, TensorProto):
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                yield from _tensors(inner)


def _graphs(folder: Path, canary: Path) -> Files:
    yield (
        "domain-node.onnx",
        model(nodes=[helper.make_node("Run", ["x"], ["y"], domain="evil")]).SerializeToString(),
    )
    imported = model()
    imported.opset_import.append(helper.make_opsetid("com.evil", 1))
    yield "domain-import.onnx", imported.SerializeToString()
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "b", [], [])
    loop = helper.make_node("Loop", ["", "", "x"], ["y"], body=body)
    yield "loop.onnx", model(nodes=[loop]).SerializeToString()
    for name, dims in (("huge", [2**40, 2**20]), ("negative", [-5])):
        made = onnx.ModelProto.FromString(good())
        weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"1234")
        made.graph.initializer.append(weights)
        yield f"{name}-dims.onnx", made.SerializeToString()
    yield "allocates-8-gb.onnx", allocates(2**31)
    yield "allocates-what-is-asked.onnx", allocates_what_is_asked()
    yield "never-ends.onnx", never_ends()
    yield "not-a-number.onnx", not_a_number()


def graph(nodes: list[onnx.NodeProto], **constants: Any) -> bytes:
    """A graph from two columns to a number."""
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    served = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)])
    served.ir_version = 8
    return served.SerializeToString()


FIRST = helper.make_node("ReduceMax", ["x"], ["m"], axes=[1])


def allocates(floats: int) -> bytes:
    """A graph that wants so many floats at once."""
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["z"]),
        helper.make_node("ReduceSum", ["z"], ["r"], keepdims=0),
        FIRST,
        helper.make_node("Add", ["m", "r"], ["y"]),
    ]
    return graph(nodes, s=np.array([floats], np.int64))


def allocates_what_is_asked() -> bytes:
    """A graph that is harmless for its sample, and wants as many floats as the larger column says."""
    nodes = [
        FIRST,
        helper.make_node("Cast", ["m"], ["i"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["i"], ["most"], keepdims=0),
        helper.make_node("Reshape", ["most", "one"], ["s"]),
        helper.make_node("ConstantOfShape", ["s"], ["z"]),
        helper.make_node("ReduceSum", ["z"], ["r"], keepdims=0),
        helper.make_node("Add", ["m", "r"], ["y"]),
    ]
    return graph(nodes, one=np.array([1], np.int64))


def never_ends() -> bytes:
    """A graph without a loop that multiplies matrices for hours."""
    nodes = [
        FIRST,
        helper.make_node("ReduceSum", ["m"], ["one"], keepdims=0),
        helper.make_node("ConstantOfShape", ["s"], ["zeros"]),
        helper.make_node("Add", ["zeros", "one"], ["z0"]),  # so that nothing can be computed beforehand
    ]
    nodes += [helper.make_node("MatMul", [f"z{i}", "z0"], [f"z{i + 1}"]) for i in range(50_000)]
    nodes += [
        helper.make_node("ReduceMax", ["z50000"], ["r"], keepdims=0),
        helper.make_node("Add", ["m", "r"], ["y"]),
    ]
    return graph(nodes, s=np.array([1000, 1000], np.int64))


def not_a_number() -> bytes:
    """A graph that answers NaN."""
    nodes = [FIRST, helper.make_node("Sub", ["m", "m"], ["n"]), helper.make_node("Div", ["n", "n"], ["y"])]
    return graph(nodes)


def raises() -> bytes:
    """A graph that fails on every row."""
    nodes = [FIRST, helper.make_node("Reshape", ["m", "s"], ["y"])]
    return graph(nodes, s=np.array([7, 7], np.int64))


def good() -> bytes:
    """A graph that answers with the larger of both."""
    return graph([FIRST, helper.make_node("Identity", ["m"], ["y"])])


def sample() -> bytes:
    """Data that such graphs may have learned from."""
    rows = [f"{i},{i % 7},{max(i, i % 7)}.5" for i in range(40)]
    return "\n".join(["a,b,y", *rows]).encode()


def listed(folder: Path) -> dict[str, Any]:
    """What the inspections in a folder have written down, by file."""
    lines = (folder / "results.jsonl").read_text().splitlines()
    return {entry["name"]: entry for entry in map(json.loads, lines)}
