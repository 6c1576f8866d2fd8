"""The usual course project: Flask, a token, joblib, and one ORM commit for every request."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime

import joblib
from flask import Flask, Response, jsonify, request
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import OperationalError

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["BENCH_SECRET"]
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['BENCH_WORK']}/naive.db"
# Eight threads wait for one writer: with SQLite's usual five seconds some would give up and answer 500.
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"timeout": 60}}
JWTManager(app)
db = SQLAlchemy(app)
model = joblib.load(os.environ["BENCH_MODEL_FILE"])
classes = model.classes_.tolist()


class Prediction(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String, index=True)
    inputs = db.Column(db.JSON)
    probabilities = db.Column(db.JSON)
    label = db.Column(db.String)
    created_at = db.Column(db.DateTime, default=lambda: datetime.now(UTC))


with app.app_context(), suppress(OperationalError):  # the other worker was first
    db.create_all()


@app.post("/login")
def login() -> Response:
    return jsonify(access_token=create_access_token(request.get_json()["username"]))


@app.post("/predict")
@jwt_required()
def predict() -> Response:
    inputs = request.get_json()["inputs"]
    shares = model.predict_proba([inputs])[0].tolist()
    record = Prediction(
        username=get_jwt_identity(),
        inputs=inputs,
        probabilities=dict(zip(classes, shares, strict=True)),
        label=classes[shares.index(max(shares))],
    )
    db.session.add(record)
    db.session.commit()
    return jsonify(id=record.id, label=record.label, probabilities=record.probabilities)
