"""As little as Flask can do: it answers every request with the same bytes."""

from __future__ import annotations

import os

from flask import Flask, Response

app = Flask(__name__)
ANSWER = os.environ["BENCH_ANSWER"]


@app.post("/predict")
def predict() -> Response:
    return Response(ANSWER, mimetype="application/json")
