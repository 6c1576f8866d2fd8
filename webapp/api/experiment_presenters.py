"""Comparisons of versions in their public JSON form."""

from __future__ import annotations

from typing import Any

from webapp.api.presenters import moment
from webapp.services.experiments import Arm, ExperimentInfo, Results


def experiment(found: ExperimentInfo) -> dict[str, Any]:
    """A comparison of two versions."""
    return {
        "id": found.id,
        "model": found.model,
        "kind": found.kind,
        "champion": found.champion,
        "challenger": found.challenger,
        "share": found.share,
        "user": found.by,
        "started_at": moment(found.started_us),
        "ended_at": None if found.ended_us is None else moment(found.ended_us),
    }


def results(found: Results) -> dict[str, Any]:
    """What a comparison has shown; agreement and verdict where both answered the same rows."""
    judged = found.verdict
    return experiment(found.experiment) | {
        "arms": [_arm(found.champion), _arm(found.challenger)],
        "pairs": found.pairs,
        "same": found.same,
        "agreement_interval": found.agreement,
        "changes": [{"champion": a, "challenger": b, "n": n} for a, b, n in found.changes],
        "mean_difference": found.mean_difference,
        "largest_difference": found.largest_difference,
        "verdict": judged
        and {
            "result": judged.result,
            "detail": judged.sentence,
            "metric": judged.metric,
            "n": judged.n,
            "champion": judged.champion,
            "challenger": judged.challenger,
            "gain": judged.gain,
            "low": judged.low,
            "high": judged.high,
            "margin": judged.margin,
        },
    }


def _arm(found: Arm) -> dict[str, Any]:
    return {
        "version": found.version,
        "n": found.n,
        "warned": found.warned,
        "labels": found.labels,
        "mean": found.mean,
        "median_us": found.median_us,
        "p95_us": found.p95_us,
        "known": found.known,
        "right": found.right,
        "right_interval": found.interval,
        "mean_error": found.off,
    }
