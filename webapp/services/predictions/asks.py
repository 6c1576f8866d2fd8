"""What is asked for and what is answered, in plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from webapp.errors import Problem
from webapp.ml.schema import Schema
from webapp.services.quota import Left


@dataclass(slots=True)
class Ask:
    """One request for predictions; `started_ns` is when it was taken up, nanoseconds since the epoch."""

    model: str
    #: As parsed from JSON; anything that is not an object is refused with a pointer.
    rows: Sequence[Any]
    channel: str
    request_id: str
    started_ns: int
    #: True when the caller sent a list, so that pointers name the row.
    many: bool = False
    version: str | None = None
    alias: str | None = None
    subject: str | None = None
    #: "all": one bad row refuses the request; "row": bad rows are answered with their problems.
    on_error: str = "all"
    idempotency_key: str | None = None
    #: Hash of what must be the same when the key is used again.
    fingerprint: str = ""
    #: The comparison of versions that decided who answers.
    experiment: str | None = None
    #: Makes `rows` for the schema of the version that answers, where a request does not name its features.
    layout: Callable[[Schema], Sequence[Any]] | None = None
    #: The caller's own names for the request: request_id, trace. Kept with the inputs.
    correlation: dict[str, str] | None = None
    #: What it took, microseconds: read (until `make`), check, predict, keep. Filled by `make`.
    stages: dict[str, int] = field(default_factory=dict)
    #: What the caller's quota has left. Set by `make`; None without one.
    left: Left | None = None
    #: Set by `make` where the answers were given before, to the same idempotency key.
    replayed: bool = False


@dataclass(slots=True)
class Made:
    """One answer, kept. `prediction` is the class or the number; times are microseconds."""

    id: str
    model: str
    version: str
    prediction: Any
    label: str | None
    probabilities: dict[str, float] | None
    warnings: list[dict[str, str]]
    cached: bool
    latency_us: int
    created_us: int
    unit: str | None = None
    experiment: str | None = None
    #: Of a ranking: the first items with their labels and scores, in order; `prediction` has the items alone.
    ranking: list[dict[str, Any]] | None = None
    #: Of a ranking by probabilities: that of its first item.
    score: float | None = None
    #: The threshold that settled the class: its label, the probability from which on it is answered, and whether that
    #: was reached; None where the version has none.
    threshold: dict[str, Any] | None = None


@dataclass(slots=True)
class Refused:
    """One row not answered, with what is wrong with it."""

    problems: list[Problem] = field(default_factory=list)
