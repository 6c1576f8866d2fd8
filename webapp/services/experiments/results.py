"""What a comparison has shown so far: agreement, differences, latency and, where outcomes are known, a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.orm import aliased

from webapp.db import ModelVersion, Outcome, Prediction
from webapp.db.base import session
from webapp.db.experiments import SHADOW
from webapp.ml import comparison
from webapp.ml.comparison import Answers, Verdict
from webapp.ml.intervals import wilson
from webapp.ml.store import Store
from webapp.services import registry
from webapp.services.experiments.running import ExperimentInfo, get
from webapp.services.people import Actor

#: Answers that are looked at, the newest.
MOST = 20_000


@dataclass(slots=True)
class Arm:
    """One version's answers; times are microseconds, None where there are none."""

    version: str
    n: int = 0
    warned: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    mean: float | None = None
    median_us: float | None = None
    p95_us: float | None = None
    #: Of those with a known outcome, and how many were right; for numbers, how far off on average.
    known: int = 0
    right: int | None = None
    off: float | None = None
    #: 95 % interval of the share of right ones.
    interval: tuple[float, float] | None = None


@dataclass(slots=True)
class Results:
    """What is known of a comparison; `pairs` are answers of both to the same row, of a shadow only."""

    experiment: ExperimentInfo
    champion: Arm
    challenger: Arm
    pairs: int = 0
    #: Pairs with the same class, and the 95 % interval of their share; of numbers, None.
    same: int | None = None
    agreement: tuple[float, float] | None = None
    #: (champion's class, challenger's, how many), those that differ, most first.
    changes: list[tuple[str, str, int]] = field(default_factory=list)
    #: Of the champion's class's probability, or of the numbers.
    mean_difference: float | None = None
    largest_difference: float | None = None
    verdict: Verdict | None = None
    #: Whether only the newest MOST were looked at.
    part: bool = False


class _Told(NamedTuple):
    """One answer, and what turned out to be true."""

    label: str | None
    value: float | None
    shares: dict[str, float] | None
    warned: int
    predict_us: float
    truth: str | float | None


def results(store: Store, actor: Actor | None, experiment_id: str) -> Results:
    """All that is known so far; raises NotFound."""
    info = get(actor, experiment_id)
    classes = _classes(store, info)
    if info.kind == SHADOW:
        pairs = _pairs(info)
        old, new = [p[0] for p in pairs], [p[1] for p in pairs]
        found = Results(info, _arm(info.champion, old), _arm(info.challenger, new), part=len(pairs) == MOST)
        _agree(found, old, new)
        found.verdict = _judged(old, new, classes)
        return found
    arms = _shown(info)
    return Results(
        info,
        _arm(info.champion, arms[info.champion]),
        _arm(info.challenger, arms[info.challenger]),
        part=sum(map(len, arms.values())) == MOST,
    )


def _classes(store: Store, info: ExperimentInfo) -> list[str]:
    described = registry.describe(store, info.model, info.champion, actor=None)
    return [choice.label for choice in described.schema.output.classes]


def _pairs(info: ExperimentInfo) -> list[tuple[_Told, _Told]]:
    shown, repeated = aliased(Prediction), aliased(Prediction)
    rows = session().execute(
        select(*_columns(shown), *_columns(repeated), Outcome.label, Outcome.value)
        .select_from(repeated)
        .join(shown, shown.id == repeated.request_id)
        .outerjoin(Outcome, (Outcome.prediction_seq == shown.seq) & Outcome.latest)
        .where(
            repeated.experiment == info.id,
            repeated.channel == SHADOW,
            repeated.state == "active",
            shown.state == "active",
        )
        .order_by(repeated.created_us.desc(), repeated.seq.desc())
        .limit(MOST)
    )
    told = [tuple(row) for row in rows]
    asked = Counter(row[5] for row in told)
    return [(_told(row[:6], row[12:], asked[row[5]]), _told(row[6:12], row[12:], 1)) for row in told]


def _shown(info: ExperimentInfo) -> dict[str, list[_Told]]:
    rows = session().execute(
        select(*_columns(Prediction), Outcome.label, Outcome.value, ModelVersion.number)
        .join(ModelVersion, ModelVersion.id == Prediction.version_id)
        .outerjoin(Outcome, (Outcome.prediction_seq == Prediction.seq) & Outcome.latest)
        .where(Prediction.experiment == info.id, Prediction.state == "active")
        .order_by(Prediction.created_us.desc(), Prediction.seq.desc())
        .limit(MOST)
    )
    arms: dict[str, list[_Told]] = {info.champion: [], info.challenger: []}
    told = [tuple(row) for row in rows]
    asked = Counter(row[5] for row in told)
    for row in told:
        arms[str(row[8])].append(_told(row[:6], row[6:8], asked[row[5]]))
    return arms


def _columns(of: Any) -> tuple[Any, ...]:
    return of.label, of.value, of.output, of.warned, of.timings, of.request_id


def _told(answer: Sequence[Any], outcome: Sequence[Any], rows: int) -> _Told:
    """One answer; `rows` were asked with it, among which the time of inference is shared out."""
    label, value, output, warned, timings, _ = answer
    truth = outcome[0] if outcome[0] is not None else outcome[1]
    shares = orjson.loads(output)["probabilities"] if output else None
    return _Told(label, value, shares, warned, orjson.loads(timings).get("predict", 0) / rows, truth)


def _arm(version: str, told: list[_Told]) -> Arm:
    made = Arm(version, n=len(told), warned=sum(t.warned > 0 for t in told))
    if not told:
        return made
    made.labels = dict(Counter(t.label for t in told if t.label is not None).most_common())
    numbers = [t.value for t in told if t.value is not None]
    made.mean = mean(numbers) if numbers else None
    times = sorted(t.predict_us for t in told)
    made.median_us, made.p95_us = median(times), float(times[min(len(times) - 1, int(0.95 * len(times)))])
    known = [t for t in told if t.truth is not None]
    made.known = len(known)
    if known and known[0].label is not None:
        made.right = sum(t.label == t.truth for t in known)
        made.interval = wilson(made.right, len(known))
    elif known:
        made.off = mean(abs((t.value or 0.0) - float(t.truth or 0.0)) for t in known)
    return made


def _agree(found: Results, old: list[_Told], new: list[_Told]) -> None:
    found.pairs = len(old)
    if not old:
        return
    if old[0].label is not None:
        found.same = sum(a.label == b.label for a, b in zip(old, new, strict=True))
        found.agreement = wilson(found.same, found.pairs)
        changed = Counter((a.label, b.label) for a, b in zip(old, new, strict=True) if a.label != b.label)
        found.changes = [(str(a), str(b), n) for (a, b), n in changed.most_common(20)]
    off = [d for a, b in zip(old, new, strict=True) if (d := _difference(a, b)) is not None]
    if off:
        found.mean_difference, found.largest_difference = mean(off), max(off)


def _difference(a: _Told, b: _Told) -> float | None:
    if a.label is None:
        return None if a.value is None or b.value is None else abs(a.value - b.value)
    if a.shares is None or b.shares is None or a.label not in b.shares:
        return None
    return abs(a.shares[a.label] - b.shares[a.label])


def _judged(old: list[_Told], new: list[_Told], classes: list[str]) -> Verdict:
    """The paired test on the rows whose outcome is known: of right answers, or of how far off numbers are."""
    known = [(a, b) for a, b in zip(old, new, strict=True) if a.truth is not None]
    if not classes:
        champion = Answers([a.value or 0.0 for a, _ in known])
        challenger = Answers([b.value or 0.0 for _, b in known])
        return comparison.verdict(
            champion, challenger, [float(a.truth or 0.0) for a, _ in known], metric="mae"
        )
    place = {label: i for i, label in enumerate(classes)}
    usable = [(a, b) for a, b in known if {a.label, b.label, a.truth} <= place.keys()]
    champion = Answers([place[str(a.label)] for a, _ in usable])
    challenger = Answers([place[str(b.label)] for _, b in usable])
    right = [place[str(a.truth)] for a, _ in usable]
    return comparison.verdict(champion, challenger, right, metric="accuracy", classes=len(classes))
