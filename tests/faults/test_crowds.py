"""Many at once over HTTP: every answer and every record belongs to its own request, and a key to one record."""

from __future__ import annotations

import json
import random

from tests.faults.conftest import Installation
from tests.faults.traffic import ROWS, Ack, Client, acknowledged, running
from tests.server import serve
from webapp.ml.runtime import Runtime
from webapp.ml.store import Store

PEOPLE = ("alice", "bob", "paula", "dave")
CROWD, EACH = 64, 12
KEYS, RIVALS = 40, 32


def test_concurrent_requests_never_mix(installation: Installation) -> None:
    with serve(installation.folder, **installation.environment) as server:
        tokens = {name: server.login(name) for name in PEOPLE}
        clients = [
            Client(
                server,
                user := PEOPLE[i % 4],
                tokens[user],
                ("iris", "diabetes")[i // 4 % 2],
                range(i * EACH, (i + 1) * EACH),
            )
            for i in range(CROWD)
        ]
        with running(clients, 60):
            pass
    acks = acknowledged(clients)
    assert len(acks) == CROWD * EACH
    installation.ledger().check(acks)
    _check_against_the_models(installation, acks)


def _check_against_the_models(installation: Installation, acks: list[Ack]) -> None:
    runtime = Runtime(Store(installation.folder / "model_store"))
    for model in ROWS:
        predictor = runtime.get(model, 1)
        for ack in (a for a in acks if a.model == model):
            alone = predictor.predict([predictor.schema.check(ack.inputs).values])
            assert ack.answer["prediction"] == alone.values[0]
            if alone.probabilities is not None:
                assert list(ack.answer["probabilities"].values()) == alone.probabilities[0]


def test_rivals_with_one_key_get_one_record(installation: Installation) -> None:
    with serve(installation.folder, **installation.environment) as server:
        token = server.login("alice")
        rivals = [
            Client(server, "alice", token, "iris", random.sample(range(KEYS), KEYS)) for _ in range(RIVALS)
        ]
        with running(rivals, 60):
            pass
    answers: dict[str, set[str]] = {}
    for ack in acknowledged(rivals):
        answers.setdefault(ack.key, set()).add(json.dumps(ack.answer))
    assert len(answers) == len(installation.ledger().records) == KEYS
    assert {len(a) for a in answers.values()} == {1}, "one key, two answers"
