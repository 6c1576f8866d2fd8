"""The sheet a request's answers are written on: record rows and leaves, ready for the group commit."""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple

import orjson

from webapp.ml.schema import Checked, Warning
from webapp.services.audit import FORMAT, SALT_BYTES, commitment
from webapp.services.clock import new_id
from webapp.services.people import Actor
from webapp.services.predictions.asks import Ask, Made
from webapp.services.resolving import Resolved


class Given(NamedTuple):
    """What the model said of one row."""

    value: Any
    probabilities: list[float] | None
    engine: str
    cached: bool


class Sheet:
    """What the rows of one request have in common, and the entry that they fill.

    Rows are in the column order of db.commits.PREDICTION_COLUMNS. Leaf heads are canonical JSON (see
    services.audit) without the writer's members, which sort last.
    """

    def __init__(self, actor: Actor, ask: Ask, chosen: Resolved, timings: dict[str, int]) -> None:
        self.ask, self._chosen = ask, chosen
        created_us = ask.started_ns // 1000
        finished_us = max(time.time_ns() // 1000, created_us)  # a clock set back must not turn time around
        self.created_us, self._latency_us = created_us, finished_us - created_us
        self._schema, self._rule = chosen.predictor.schema, chosen.predictor.rule
        self._first = (created_us, finished_us, ask.request_id, actor.id, actor.role, ask.channel)
        self._version = (chosen.model_id, chosen.version_id)
        self._experiment = ask.experiment
        self._timings = (self._latency_us, orjson.dumps(timings).decode())
        self._leaf = {
            "artifact": chosen.digest,
            "cached": 0,
            "channel": ask.channel,
            "created": created_us,
            "engine": "",
            "finished": finished_us,
            "format": FORMAT,
            "id": "",
            "inputs": "",
            "model": chosen.model,
            "output": "",
            "request": ask.request_id,
            "role": actor.role,
            "schema": chosen.schema_hash,
            "timings": self._timings[1],
            "user": actor.id,
            "version": chosen.number,
        }
        self.rows: list[tuple[Any, ...]] = []
        self.heads: list[bytes] = []
        self.made: list[Made] = []

    def write(self, received: Any, checked: Checked, given: Given, subject: str | None = None) -> None:
        """Add one answered row; `subject` where rows have each their own."""
        made = self._present(checked, given)
        about = subject if subject is not None else self.ask.subject
        inputs, output = orjson.dumps(self._inputs(received, checked, about)), orjson.dumps(_output(made))
        salts = os.urandom(2 * SALT_BYTES)
        score = made.probabilities[made.label] if made.probabilities and made.label else made.score
        value = given.value if made.label is None else None
        answer = (made.label, value, score, len(made.warnings), given.cached, given.engine)
        texts = (inputs.decode(), output.decode(), salts, "active", self._experiment)
        self.rows.append((made.id, *self._first, *self._version, about, *answer, *self._timings, *texts))
        leaf = self._leaf
        leaf["id"], leaf["cached"], leaf["engine"] = made.id, int(given.cached), given.engine
        leaf["inputs"] = commitment(salts[:SALT_BYTES], inputs)
        leaf["output"] = commitment(salts[SALT_BYTES:], output)
        self.heads.append(orjson.dumps(leaf)[:-1])
        self.made.append(made)

    def _inputs(self, received: Any, checked: Checked, subject: str | None) -> dict[str, Any]:
        inputs: dict[str, Any] = {"received": received}
        if checked.defaulted:
            inputs["used"] = dict(zip(self._schema.names, checked.values, strict=True))
            inputs["defaulted"] = checked.defaulted
        if subject is not None:
            inputs["subject"] = subject
        if self.ask.correlation is not None:
            inputs["correlation"] = self.ask.correlation
        return inputs

    def _present(self, checked: Checked, given: Given) -> Made:
        labels, scores = self._chosen.labels, given.probabilities
        ranking = self._ranking(scores) if self._schema.output.kind == "ranking" and scores else None
        made = Made(
            new_id("pred"),
            self._chosen.model,
            self._chosen.number,
            given.value,
            labels[given.value] if labels else None,
            None if scores is None else dict(zip(labels.values(), scores, strict=True)),
            [_warning(w) for w in checked.warnings],
            given.cached,
            self._latency_us,
            self.created_us,
            self._schema.output.unit,
            self._experiment,
            threshold=self._threshold(scores) if self._rule and scores else None,
        )
        if ranking is not None:
            made.ranking, made.prediction = ranking, [one["item"] for one in ranking]
            made.label, made.probabilities = ranking[0]["label"], None
            made.score = ranking[0]["score"] if self._schema.output.probabilities else None
        return made

    def _ranking(self, scores: list[float]) -> list[dict[str, Any]]:
        items = self._schema.output.classes
        return [
            {"item": items[i].value, "label": items[i].label, "score": scores[i]}
            for i in self._schema.output.ranked(scores)
        ]

    def _threshold(self, scores: list[float]) -> dict[str, Any]:
        place, at_least, reached = self._rule.applied(scores)  # type: ignore[union-attr]  # asked where there is one
        label = self._schema.output.classes[place].label
        return {"label": label, "at_least": at_least, "reached": reached}


def _output(made: Made) -> dict[str, Any]:
    told: dict[str, Any] = {
        "prediction": made.prediction,
        "label": made.label,
        "probabilities": made.probabilities,
        "warnings": made.warnings,
        "unit": made.unit,
    }
    if made.experiment is not None:
        told["experiment"] = made.experiment
    if made.threshold is not None:
        told["threshold"] = made.threshold
    return told if made.ranking is None else told | {"ranking": made.ranking, "score": made.score}


def _warning(warning: Warning) -> dict[str, str]:
    return {"feature": warning.feature, "kind": warning.kind, "detail": warning.detail}
