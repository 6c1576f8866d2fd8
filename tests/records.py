"""A ledger for tests that read records: any number of predictions by the cast, at times of their choosing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.conftest import CAST
from webapp.db import Model, ModelVersion, Prediction, User
from webapp.extensions import db
from webapp.services.people import Actor

MODELS = ("iris", "diabetes")
SECOND = 1_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01 12:00 UTC


@contextmanager
def queries() -> Iterator[list[tuple[str, Any]]]:
    """The SELECTs made inside, each with its parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_c: object, _cur: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    yield statements
    event.remove(db.engine, "before_cursor_execute", note)


class Ledger:
    """Writes records straight into the tables, so that a test can say when and by whom they were made."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers = count()
        self.actors = {name: self._user(name) for name in CAST}
        self.versions = {(name, n): self._version(name, n) for name in MODELS for n in (1, 2)}
        session.commit()

    def write(self, user: str = "alice", model: str = "iris", version: int = 1, **changes: Any) -> str:
        """One record, newer than the one before unless `created_us` says otherwise; returns its id."""
        n = next(self._numbers)
        created = changes.pop("created_us", NOON + n * SECOND)
        regression = model == "diabetes"
        label = changes.pop("label", None if regression else "setosa")
        inputs = changes.pop("inputs", {"received": {"petal_length": 1.4}, "defaulted": []})
        warnings = changes.pop("warnings", [])
        row = {
            "id": f"pred_{n:044x}",
            "created_us": created,
            "finished_us": created + 900,
            "request_id": f"req-{n}",
            "user_id": self.actors[user].id,
            "role": CAST[user],
            "channel": "form",
            "model_id": self.versions[model, version].model_id,
            "version_id": self.versions[model, version].id,
            "label": label,
            "value": 152.5 if regression else None,
            "score": None if regression else 0.9816,
            "warned": len(warnings),
            "engine": "onnx",
            "latency_us": 900,
            "timings": '{"model":40}',
            "inputs": inputs and orjson.dumps(inputs).decode(),
            "output": orjson.dumps({"prediction": label or 152.5, "warnings": warnings}).decode(),
            "salts": b"s" * 64,
        }
        self._session.add(Prediction(**{**row, **changes}))
        self._session.commit()
        return str(row["id"])

    def _user(self, name: str) -> Actor:
        user = self._session.query(User).filter_by(username=name).one()
        return Actor(user.id, name, user.role, stamp=user.stamp)

    def _version(self, name: str, number: int) -> ModelVersion:
        model = self._session.query(Model).filter_by(name=name).one()
        known = self._session.query(ModelVersion).filter_by(model_id=model.id, number=number).first()
        version = known or ModelVersion(
            model_id=model.id,
            number=number,
            digest="d" * 64,
            manifest_hash="0" * 64,
            schema_hash="e" * 64,
            task="t",
            created_us=NOON,
        )
        self._session.add(version)
        self._session.flush()
        return version
