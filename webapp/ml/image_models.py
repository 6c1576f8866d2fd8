"""Models that look at images: how an estimator or a graph takes them, refused at publish where it takes others."""

from __future__ import annotations

from typing import Any

from webapp.errors import BadArtifact
from webapp.ml.engines import open_session
from webapp.ml.layout import Layout
from webapp.ml.schema import ImageSpec, Schema
from webapp.wording import said, said_n

_FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64"}


def declared(edits: dict[str, Any] | None) -> str | None:
    """The column that schema edits call an image, if any; other faults of theirs are told where they are used."""
    features = (edits or {}).get("features")
    members = features.items() if isinstance(features, dict) else ()
    return next(
        (name for name, edit in members if isinstance(edit, dict) and edit.get("kind") == "image"), None
    )


def completed(edits: dict[str, Any] | None, data: bytes) -> dict[str, Any] | None:
    """Edits in which an image has the size and layout that the graph fixes, where they do not give their own."""
    name = declared(edits)
    if edits is None or name is None:
        return edits
    edit = edits["features"][name]
    given = edit.get("image", {})
    if not isinstance(given, dict):
        return edits
    image = _of_shape(open_session(data).get_inputs()[0].shape) | given
    return edits | {"features": edits["features"] | {name: edit | {"image": image}}}


def fitted_layout(estimator: Any, schema: Schema) -> Layout:
    """That of an estimator, which takes the numbers of an image in one row; raises BadArtifact for any other."""
    image = _image(schema)
    if image.layout != "flat":
        raise BadArtifact(
            said(
                "scikit-learn takes the numbers of an image in one row: declare the layout flat, not "
                "{layout}.",
                layout=image.layout,
            )
        )
    if getattr(estimator, "feature_names_in_", None) is not None:
        raise BadArtifact(
            said(
                "The model was fitted on named columns of pixels; fit it on their values alone "
                "(X.to_numpy()), so that the numbers of an image can take their place."
            )
        )
    wanted = getattr(estimator, "n_features_in_", image.size)
    if wanted != image.size:
        raise BadArtifact(
            said(
                "The model takes {wanted} numbers, but an image of {size} gives {own}; correct the "
                "declared size.",
                wanted=wanted,
                size=_size(image),
                own=image.size,
            )
        )
    return Layout("images", schema.names, ("float64",))


def graph_layout(data: bytes, schema: Schema) -> Layout:
    """That of a graph with one input for images. Raises BadArtifact where the declared size does not fit it."""
    image = _image(schema)
    inputs = open_session(data).get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _FLOATS:
        raise BadArtifact(said("A graph that looks at images needs one input of floats, and no other."))
    h, w, c = image.height, image.width, image.channels
    wanted: list[int] = {"flat": [h * w * c], "hwc": [h, w, c], "chw": [c, h, w]}[image.layout]
    shape = list(inputs[0].shape or [])
    if shape and isinstance(shape[0], int):
        raise BadArtifact(
            said(
                "The input “{name}” takes exactly {n} images; export the model with a first dimension of "
                "any size (dynamic batch).",
                name=inputs[0].name[:60],
                n=shape[0],
            )
        )
    fits = len(shape) == len(wanted) + 1 and all(
        not isinstance(size, int) or size == own for size, own in zip(shape[1:], wanted, strict=True)
    )
    if not fits:
        raise BadArtifact(
            said(
                "The graph takes images as {shape}, but declared as {layout} of {size} they are "
                "{declared}; correct width, height, channels or layout.",
                shape=_dimensions(shape),
                layout=image.layout,
                size=_size(image),
                declared=_dimensions(["n", *wanted]),
            )
        )
    return Layout("images", (inputs[0].name,), (_FLOATS[inputs[0].type],))


def _image(schema: Schema) -> ImageSpec:
    if schema.image is None:
        raise BadArtifact(said("The schema has no image."))
    return schema.image


def _of_shape(shape: list[Any]) -> dict[str, Any]:
    """What a graph's input of four dimensions says of its images."""
    if len(shape) != 4:
        return {}
    layout = "hwc" if shape[3] in (1, 3) and shape[1] not in (1, 3) else "chw"
    height, width, channels = (shape[1:4]) if layout == "hwc" else (shape[2], shape[3], shape[1])
    found = {"width": width, "height": height, "channels": channels}
    return {"layout": layout} | {name: size for name, size in found.items() if isinstance(size, int)}


def _size(image: ImageSpec) -> str:
    return said_n(
        "{width}×{height} in {n} channel",
        "{width}×{height} in {n} channels",
        width=image.width,
        height=image.height,
        n=image.channels,
    )


def _dimensions(shape: list[Any]) -> str:
    return "×".join(str(size) if isinstance(size, int) else "n" for size in shape)
