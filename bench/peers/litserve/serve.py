"""Predict with LitServe: two model workers behind two HTTP processes."""

from __future__ import annotations

import os
from typing import Any

import joblib
import litserve as ls


class Predictor(ls.LitAPI):
    def setup(self, device: str) -> None:
        self.model = joblib.load(os.environ["BENCH_MODEL_FILE"])
        self.classes = self.model.classes_.tolist()

    # No annotation: LitServe would hand it to FastAPI, which then takes the body for a query parameter.
    def decode_request(self, request) -> list[float]:
        return request["inputs"]

    def predict(self, x: list[float]) -> list[float]:
        return self.model.predict_proba([x])[0].tolist()

    def encode_response(self, output: list[float]) -> dict[str, Any]:
        return {
            "label": self.classes[output.index(max(output))],
            "probabilities": dict(zip(self.classes, output, strict=True)),
        }


if __name__ == "__main__":
    ls.LitServer(Predictor(), accelerator="cpu", workers_per_device=2).run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=2,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
