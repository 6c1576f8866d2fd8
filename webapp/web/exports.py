"""Records as CSV that a spreadsheet can be trusted with."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from webapp.services.cells import safe as safe
from webapp.services.history import Record

FLUSH = 200


def lines(records: Iterable[Record], features: tuple[str, ...] = ()) -> Iterator[str]:
    """A heading and one line a record, some at a time; `features` get columns of their own."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([*_fixed(None), *(safe(f"input.{name}") for name in features), "inputs"])
    for n, record in enumerate(records, 1):
        inputs = record.used or {}
        given = (inputs.get(name) for name in features)
        text = orjson.dumps(record.inputs).decode() if record.inputs is not None else None
        writer.writerow([safe(v) for v in (*_fixed(record).values(), *given, text)])
        if n % FLUSH == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _rfc3339(us: int) -> str:
    """As the API writes it."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def _fixed(r: Record | None) -> dict[str, Any]:
    """The columns that every record has; with None, only their names matter."""
    return {
        "id": r and r.id,
        "created_at": r and _rfc3339(r.created_us),
        "model": r and r.model,
        "version": r and int(r.version),
        "prediction": r and r.prediction,
        "unit": r and r.unit,
        "label": r and r.label,
        "score": r and r.score,
        "warnings": r and "; ".join(w["detail"] for w in r.warnings),
        "user": r and r.user,
        "role": r and r.role,
        "channel": r and r.channel,
        "subject": r and r.subject,
        "request_id": r and r.request_id,
        "latency_ms": r and r.latency_us / 1000,
        "engine": r and r.engine,
        "state": r and r.state,
    }
