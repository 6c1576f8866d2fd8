"""Holds the API to its own description: schemathesis with all of its checks, in the name of one role."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import Interaction

PHASES = ("examples", "coverage", "fuzzing", "stateful")
# What schemathesis takes for an answer to a good request and to a bad one, and what an operation may say besides.
GOOD = ["2xx", "304", "401", "403", "404", "409"]
BAD = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "428", "429"]
#: Which cursors were given out, and that one filter may not exceed another, a description cannot say.
PAGES = "^(list_predictions|list_jobs|list_submissions)$"
#: Which rows and outcomes are good depends on the model, and which files are models on what is in them.
DEPENDENT = "^(predict|report_outcome|publish_version|v2(_version)?_infer)$"
#: Wrong passwords are counted; and that a refresh token is sent either as bearer or in the body, it cannot say.
SIGN_IN = "^(login|refresh)$"
#: A tag that was never given out is well formed; it, and one that is not, is answered like an old one.
CONDITIONAL = "^(promote|roll_back|set_alias|drop_alias|decide|start_experiment|end_experiment)$"


@dataclass
class Outcome:
    """What a run has found."""

    seconds: float = 0
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    sequences: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def configuration(
    cases: int, sequences: int, *, phases: Collection[str] = PHASES, seed: int = 6
) -> dict[str, Any]:
    """All checks, in these phases; so many generated cases an operation, and up to so many sequences in all."""
    return {
        "seed": seed,
        "continue-on-failure": True,
        "suppress-health-check": ["all"],
        "generation": {"max-examples": cases, "database": "none"},
        "phases": {
            **{phase: {"enabled": phase in phases} for phase in PHASES},
            "stateful": {"enabled": "stateful" in phases, "generation": {"max-examples": sequences}},
        },
        "checks": {
            "positive_data_acceptance": {"expected-statuses": GOOD},
            "negative_data_rejection": {"expected-statuses": BAD},
        },
        "operations": [
            {
                "include-operation-id-regex": PAGES,
                "checks": {"positive_data_acceptance": {"expected-statuses": [*GOOD, "400", "422"]}},
            },
            {
                "include-operation-id-regex": DEPENDENT,
                "checks": {"positive_data_acceptance": {"expected-statuses": [*GOOD, "400", "415", "422"]}},
            },
            {
                "include-operation-id-regex": SIGN_IN,
                "checks": {"positive_data_acceptance": {"expected-statuses": [*GOOD, "415", "429"]}},
            },
            {
                "include-operation-id-regex": CONDITIONAL,
                "checks": {
                    "positive_data_acceptance": {"expected-statuses": [*GOOD, "412", "422"]},
                    "negative_data_rejection": {"expected-statuses": [*BAD, "412"]},
                    "missing_required_header": {"expected-statuses": ["401", "403", "422", "428"]},
                },
            },
        ],
    }


def run(address: str, config: dict[str, Any], token: str | None, spare: str | None) -> Outcome:
    """Send what schemathesis makes of the description, as `config` says.

    All with the access token, if one is given, but for signing out, which is done with the spare one.
    """
    headers = _bearer(token)
    apart = {"include-operation-id": "logout", "headers": _bearer(spare)}
    whole = {**config, "headers": headers, "operations": [*config["operations"], apart]}
    schema = schemathesis.openapi.from_url(
        f"{address}/api/v1/openapi.json", config=SchemathesisConfig.from_dict(whole), headers=headers
    )
    found, begun = Outcome(), time.monotonic()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(found, event)
        elif isinstance(event, events.NonFatalError):
            found.failures[f"error at {event.label}"] = event.info.format()
        elif isinstance(event, events.FatalError):
            raise event.exception
    found.seconds = time.monotonic() - begun
    return found


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _note(found: Outcome, event: events.ScenarioFinished) -> None:
    recorder, phase = event.recorder, event.phase.value
    found.sequences += phase == "stateful"
    for case_id, kept in recorder.interactions.items():
        found.requests[phase] += 1
        if kept.response is not None:
            found.statuses[kept.response.status_code] += 1
        for check in recorder.checks.get(case_id, ()):
            if check.status is Status.FAILURE and check.failure_info is not None and not _key_reused(kept):
                failure = check.failure_info.failure
                name = f"{recorder.cases[case_id].value.operation.label}: {check.name}"
                found.failures.setdefault(name, f"{failure.message}\n{check.failure_info.code_sample}")


def _key_reused(kept: Interaction) -> bool:
    """Whether a good request was refused because its key stands for another, which was made up before."""
    return kept.response is not None and b"docs/errors#key-reused" in kept.response.content
