"""Handwritten digits as images: those that scikit-learn carries, 8×8 in 17 greys"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from webapp.ml.layout import pixels
from webapp.ml.schema import ImageSpec
from webapp.ml.schema.images import png, read

#: The data have the levels 0 to 16, white on black. Fifteen greys each, so that an image holds them exactly.
IMAGE: Final = ImageSpec(8, 8, scale=17)
_GREYS: Final = 15


def sample() -> tuple[Any, Any]:
    """(X, y): a column of PNGs in base64, and the digits as texts."""
    import pandas as pd  # heavy, and only publishing the demos needs frames
    from sklearn.datasets import load_digits

    data = load_digits()
    images = [png(IMAGE, (levels * _GREYS).astype(np.uint8).tobytes()) for levels in data.data]
    X = pd.DataFrame({"image": images})
    return X, pd.Series(data.target, name="digit").astype(str).astype(object)


def numbers(X: Any) -> Any:
    """The n × 64 levels of the images, 0 to 16, as the model takes them."""
    return pixels([(read(text, IMAGE),) for text in X["image"]], "float64")


def classifier() -> Any:
    """Logistic regression on the 64 levels, brought to 0..1."""
    from sklearn.linear_model import LogisticRegression  # heavy, and only publishing the demos trains
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    return make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000))
