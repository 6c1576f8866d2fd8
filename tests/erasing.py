"""What tests of erasures share: many records at once, and a look for words in every byte that is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.orm import Session

from tests.records import Ledger
from webapp.db import Prediction

DAY_US = 86_400 * 1_000_000
OLD_DAYS = 400


def fill(session: Session, n: int, of: Callable[[int], dict[str, Any]], days: float = OLD_DAYS) -> list[str]:
    """Write `n` records of alice, one a second from `days` ago on, each with what `of` its number says; ids."""
    ledger = Ledger(session)
    version, alice = ledger.versions["iris", 1], ledger.actors["alice"]
    start = time.time_ns() // 1000 - int(days * DAY_US)
    rows = [_row(i, start + i * 1_000_000, version, alice.id, of(i)) for i in range(n)]
    session.execute(Prediction.__table__.insert(), rows)  # type: ignore[attr-defined]
    session.commit()
    return [row["id"] for row in rows]


def _row(i: int, at: int, version: Any, user: int, changes: dict[str, Any]) -> dict[str, Any]:
    subject = changes.get("subject")
    inputs = {"received": {"petal_length": 1.4, **changes.pop("inputs", {})}, "subject": subject}
    return {
        "id": f"pred_{at // 1000:012x}{i:032x}",
        "created_us": at,
        "finished_us": at + 900,
        "request_id": f"request-{i}",
        "user_id": user,
        "role": "analyst",
        "channel": "form",
        "model_id": version.model_id,
        "version_id": version.id,
        "label": "setosa",
        "score": 0.98,
        "warned": 0,
        "cached": False,
        "engine": "onnx",
        "latency_us": 900,
        "timings": '{"predict":40}',
        "inputs": orjson.dumps(inputs).decode(),
        "output": orjson.dumps({"prediction": "setosa", "warnings": []}).decode(),
        "salts": b"s" * 64,
        "state": "active",
        "subject": None,
        **changes,
    }


def found(folder: Path, words: Iterable[str]) -> list[tuple[str, str]]:
    """Which of these words stand in which files of a folder, also as JSON or an address writes them."""
    needles = {form for word in words for form in (word.encode(), orjson.dumps(word)[1:-1])}
    hits = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "model_store" not in p.parts):
        data = path.read_bytes()
        hits += [(path.name, needle.decode()) for needle in needles if needle in data]
    return hits
