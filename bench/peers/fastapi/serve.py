"""Predict with FastAPI and joblib: no sign-in, no record."""

from __future__ import annotations

import os

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["BENCH_MODEL_FILE"])
classes = model.classes_.tolist()


class Row(BaseModel):
    inputs: list[float]


class Answer(BaseModel):
    label: str
    probabilities: dict[str, float]


# A coroutine, not a plain function: the thread pool costs FastAPI more than it gives one short prediction.
@app.post("/predict")
async def predict(row: Row) -> Answer:
    shares = model.predict_proba([row.inputs])[0].tolist()
    return Answer(
        label=classes[shares.index(max(shares))], probabilities=dict(zip(classes, shares, strict=True))
    )
