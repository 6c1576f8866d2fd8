"""Predict with a BentoML service of two workers."""

from __future__ import annotations

import os
from typing import Any

import bentoml
import joblib


@bentoml.service(workers=2, logging={"access": {"enabled": False}})
class Predictor:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["BENCH_MODEL_FILE"])
        self.classes = self.model.classes_.tolist()

    @bentoml.api(route="/predict")
    def predict(self, inputs: list[float]) -> dict[str, Any]:
        shares = self.model.predict_proba([inputs])[0].tolist()
        return {
            "label": self.classes[shares.index(max(shares))],
            "probabilities": dict(zip(self.classes, shares, strict=True)),
        }
