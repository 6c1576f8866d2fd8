"""Graphs and estimators that look at images, from publish to answer."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from webapp.errors import BadArtifact
from webapp.ml import chamber
from webapp.ml.chamber import Given
from webapp.ml.intake import Order
from webapp.ml.loader import save_skops
from webapp.ml.packaging import Package, package
from webapp.ml.reports import spoken
from webapp.ml.runtime import Predictor
from webapp.ml.schema import ImageSpec
from webapp.ml.schema.images import grey, png

SPEC = ImageSpec(6, 4, 3)
COLOURS = ("blue", "green", "red")


def images(n: int = 60) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Images that are mostly of one colour, and its name."""
    chance = np.random.default_rng(5)
    names = chance.choice(COLOURS, n)
    raw = chance.integers(0, 90, (n, SPEC.height, SPEC.width, 3))
    for i, name in enumerate(names):
        raw[i, :, :, 2 - COLOURS.index(name)] += 150  # red comes first in an image
    texts = [png(SPEC, one.astype(np.uint8).tobytes()) for one in raw]
    return pd.DataFrame({"photo": texts}), pd.Series(names, name="colour").astype(object)


def network(shape: list[Any], layout: str, *, softmax: bool = True) -> bytes:
    """A convolution over all of the image that sums each channel, blue first, then softmax."""
    nodes = []
    first = "photo"
    if layout == "hwc":
        nodes.append(helper.make_node("Transpose", ["photo"], ["turned"], perm=[0, 3, 1, 2]))
        first = "turned"
    weights = np.zeros((3, 3, SPEC.height, SPEC.width), np.float32)
    for i in range(3):
        weights[i, 2 - i] = 0.2
    nodes.append(helper.make_node("Conv", [first, "w"], ["sums"]))
    nodes.append(helper.make_node("Flatten", ["sums"], ["flat" if softmax else "scores"]))
    if softmax:
        nodes.append(helper.make_node("Softmax", ["flat"], ["scores"]))
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    model: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    onnx.checker.check_model(onnx.load_from_string(model))
    return model


def published(model: Any, image: dict[str, Any], format: str = "onnx", **output: Any) -> Package:
    edits = {"features": {"photo": {"kind": "image", "image": image}}, "output": output}
    return package(model, *images(), format=format, edits=edits)


def answers(made: Package) -> list[Any]:
    predictor = Predictor.load(lambda name: made.files[name], made.manifest)
    X, _ = images()
    rows = [predictor.schema.check({"photo": text}).values for text in X["photo"]]
    return predictor.predict(rows).values


@pytest.mark.parametrize(("layout", "shape"), [("chw", ["n", 3, 4, 6]), ("hwc", ["n", 4, 6, 3])])
def test_a_network_gets_images_in_the_layout_that_its_input_fixes(layout: str, shape: list[Any]) -> None:
    made = published(network(shape, layout), {"mean": [0.5] * 3, "std": [0.5] * 3})
    image = made.schema.image
    assert image is not None
    assert (image.layout, image.width, image.height, image.channels) == (layout, 6, 4, 3)
    assert answers(made) == images()[1].tolist()
    assert made.manifest["metrics"]["accuracy"] == 1


def test_a_network_of_any_size_needs_one_declared() -> None:
    model = network(["n", 3, "h", "w"], "chw")
    with pytest.raises(BadArtifact, match=r"#/features/photo/image needs height, width"):
        published(model, {})
    made = published(model, {"width": 6, "height": 4})
    assert answers(made) == images()[1].tolist()


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ({"width": 5}, r"takes images as n×3×4×6, but declared as chw of 5×4 in 3 channels they are n×3×4×5"),
        ({"layout": "hwc"}, r"declared as hwc of 6×4 in 3 channels they are n×4×6×3"),
        ({"channels": 2}, r"#/features/photo/image/channels must be 1 \(grey\) or 3 \(colour\)"),
        ({"std": [1, 0, 1]}, r"std must not be 0"),
        ({"mean": [1]}, r"mean must hold a number for each channel"),
        ({"size": 3}, r"has no member|size"),
    ],
)
def test_an_image_declared_otherwise_than_the_network_takes_it_is_refused(
    image: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadArtifact, match=told):
        published(network(["n", 3, 4, 6], "chw"), image)


def test_a_network_that_takes_one_image_at_a_time_is_refused() -> None:
    with pytest.raises(BadArtifact, match=r"takes exactly 1 images"):
        published(network([1, 3, 4, 6], "chw"), {})


def test_a_ranking_takes_the_scores_of_a_network_as_they_are() -> None:
    model = network(["n", 3, 4, 6], "chw", softmax=False)
    with pytest.raises(BadArtifact, match=r"end it with Softmax"):
        published(model, {})
    made = published(model, {}, kind="ranking", top=2, probabilities=False)
    assert made.manifest["metrics"]["recall_at_k"] == 1
    assert answers(made) == images()[1].tolist()


def pixels() -> Any:
    from webapp.ml.layout import pixels as numbers
    from webapp.ml.schema.images import read

    return numbers([(read(text, SPEC),) for text in images()[0]["photo"]], "float64")


@pytest.mark.parametrize(
    "estimator", [RandomForestClassifier(9, random_state=0), LogisticRegression(max_iter=500)]
)
def test_an_estimator_of_flat_pixels_agrees_with_its_graph(estimator: Any) -> None:
    fitted = estimator.fit(pixels(), images()[1])
    made = published(fitted, {"width": 6, "height": 4, "channels": 3}, "skops")
    assert "agrees with scikit-learn" in spoken(made.manifest["engines"]["reason"])
    assert answers(made) == fitted.predict(pixels()).tolist()


def test_a_ranking_takes_decision_scores_where_there_are_no_probabilities() -> None:
    fitted = LinearSVC().fit(pixels(), images()[1])
    made = published(fitted, {"width": 6, "height": 4, "channels": 3}, "skops", kind="ranking")
    assert (made.schema.output.top, made.schema.output.probabilities) == (3, False)
    predictor = Predictor.load(lambda name: made.files[name], made.manifest)
    row = predictor.schema.check({"photo": images()[0]["photo"][0]}).values
    [scores] = predictor.predict([row]).probabilities or []
    assert scores == pytest.approx(fitted.decision_function(pixels())[0], abs=1e-4)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (
            {"width": 6, "height": 5, "channels": 3},
            r"takes 72 numbers, but an image of 6×5 in 3 channels gives 90",
        ),
        ({"width": 6, "height": 4, "channels": 3, "layout": "chw"}, r"declare the layout flat, not chw"),
    ],
)
def test_an_estimator_of_another_size_is_refused(image: dict[str, Any], told: str) -> None:
    with pytest.raises(BadArtifact, match=told):
        published(LogisticRegression(max_iter=500).fit(pixels(), images()[1]), image, "skops")


def test_an_estimator_of_named_pixels_is_refused() -> None:
    named = pd.DataFrame(pixels()).rename(columns=str)
    with pytest.raises(BadArtifact, match=r"fitted on named columns of pixels"):
        published(
            LogisticRegression(max_iter=500).fit(named, images()[1]),
            {"width": 6, "height": 4, "channels": 3},
            "skops",
        )


def test_an_image_beside_other_columns_is_refused() -> None:
    X, y = images()
    edits = {"features": {"photo": {"kind": "image", "image": {"width": 6, "height": 4}}}}
    with pytest.raises(BadArtifact, match=r"takes nothing beside it"):
        package(network(["n", 3, 4, 6], "chw"), X.assign(age=1.0), y, format="onnx", edits=edits)


def test_a_sample_without_any_image_is_refused() -> None:
    X, y = images()
    edits = {"features": {"photo": {"kind": "image", "image": {"width": 6, "height": 4}}}}
    with pytest.raises(BadArtifact, match=r"No image of the sample can be used: Photo is not base64"):
        package(network(["n", 3, 4, 6], "chw"), X.assign(photo="a/path.png"), y, format="onnx", edits=edits)


def test_the_profile_counts_images_by_their_brightness() -> None:
    made = published(network(["n", 3, 4, 6], "chw"), {})
    learned = made.schema.features[0].learned
    assert learned is not None
    assert 0 < (learned.minimum or 0) < (learned.maximum or 0) < 1
    dark = made.schema.check({"photo": grey(SPEC, 0)})
    assert [w.kind for w in dark.warnings] == ["outside_range"]


def test_images_are_decoded_where_a_model_is_inspected_apart(tmp_path: Path) -> None:
    fitted = LogisticRegression(max_iter=500).fit(pixels(), images()[1])
    model, X, y = save_skops(fitted), *images()
    edits = {"features": {"photo": {"kind": "image", "image": {"width": 6, "height": 4, "channels": 3}}}}
    (tmp_path / "model").write_bytes(model)
    (tmp_path / "data").write_text(X.assign(colour=y).to_csv(index=False))
    order, given = Order("skops", "colour", edits=edits), Given(tmp_path / "model", tmp_path / "data")
    made = chamber.inspect(order, given, sha256(model).hexdigest(), chamber.USUAL, folder=tmp_path)
    assert made.package.manifest["metrics"]["accuracy"] == 1
    assert answers(made.package) == fitted.predict(pixels()).tolist()
