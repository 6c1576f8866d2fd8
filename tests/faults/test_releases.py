"""Releases under load: nobody is refused, nobody is answered by a version that is not live, and one is live always."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from tests.conftest import close, settings
from tests.faults import live
from tests.faults.conftest import Installation
from tests.faults.traffic import iris
from tests.server import Server, serve
from webapp.app import create_app
from webapp.db import Alias, Model, ModelVersion, User
from webapp.db.base import session
from webapp.errors import Conflict, NotFound, NotReady, Outdated
from webapp.ml.packaging import package
from webapp.services import predictions, registry, releases
from webapp.services.people import Actor, access_number
from webapp.services.predictions import Ask

PROMOTIONS, LONG = 100, 1000
WORKERS, WRITERS, READERS, EACH = 2, 16, 4, 25
RATE = 100.0


@contextmanager
def opened(installation: Installation) -> Iterator[Flask]:
    app = create_app(settings(installation.folder, database_url=installation.url))
    yield app
    close(app)


def publish_more(app: Flask, packages: dict[str, Any], versions: int) -> None:
    """Versions of iris after the first; every third is one that scikit-learn serves."""
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB

    demo = packages["iris"][0]
    _, X, y, X_test, y_test = demo.make()
    parts = [("a", LogisticRegression(max_iter=500)), ("b", GaussianNB())]
    voting = VotingClassifier(parts, voting="soft").fit(X, y)  # which the converter does not know
    slow = package(voting, X, y, format="skops", test=(X_test, y_test), card=demo.card, edits=demo.edits)
    assert slow.manifest["engines"]["one"] == "sklearn"
    with app.app_context():
        for number in range(2, versions + 1):
            made = slow if number % 3 == 0 else packages["iris"][1]
            registry.publish(app.extensions["desk"].store, made, name="iris", title="")


class Asker(threading.Thread):
    """Asks one row, or every fifth time twenty, at a steady rate; keeps what it was told."""

    def __init__(self, server: Server, token: str, seconds: float) -> None:
        super().__init__(daemon=True)
        self._server, self._token, self._pause = server, token, seconds
        self.stopped = threading.Event()
        self.statuses: Counter[int] = Counter()
        self.mixed: list[set[str]] = []

    def run(self) -> None:
        connection, n = self._server.connect(), 0
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        while not self.stopped.wait(self._pause):
            n += 1
            many = n % 5 == 0
            body = {"instances": [iris(n + i) for i in range(20)]} if many else {"inputs": iris(n)}
            connection.request("POST", "/api/v1/models/iris/predict", json.dumps(body), headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            self.statuses[answer.status] += 1
            if many and answer.status == 200:
                versions = {p["version"] for p in told["predictions"]}
                self.mixed += [versions] if len(versions) > 1 else []
        connection.close()


def promote(server: Server, token: str, version: int) -> float:
    """Promote by the API; returns the moment it was answered."""
    _, headers, _ = server.ask("GET", "/api/v1/models/iris/releases", token=token)
    body = {"version": str(version), "reason": "again"}
    status, _, told = server.ask(
        "POST", "/api/v1/models/iris/promote", body, token=token, headers={"If-Match": headers["ETag"]}
    )
    assert status == 200, told
    return time.monotonic()


def answered_by(server: Server, token: str) -> str:
    _, _, told = server.ask("POST", "/api/v1/models/iris/predict", {"inputs": iris(1)}, token=token)
    return str(json.loads(told)["version"])


@pytest.mark.timeout(1800)  # with --long
def test_promotions_under_load_refuse_nobody_and_hold_everywhere_at_once(
    installation: Installation, packages: dict[str, Any], pytestconfig: pytest.Config
) -> None:
    with opened(installation) as app:
        publish_more(app, packages, 4)
    rounds = LONG if pytestconfig.getoption("--long") else PROMOTIONS
    with serve(installation.folder, WORKERS=str(WORKERS), **installation.environment) as server:
        tokens = {name: server.login(name) for name in ("alice", "bob", "paula")}
        askers = [Asker(server, tokens[name], 8 / RATE) for name in ("alice", "bob") * 4]
        for asker in askers:
            asker.start()
        for n in range(rounds):
            version = 1 + (n + 1) % 4
            promote(server, tokens["paula"], version)
            # On connections of their own, which the kernel deals out to both workers.
            assert {answered_by(server, tokens["alice"]) for _ in range(4)} == {str(version)}
        for asker in askers:
            asker.stopped.set()
        for asker in askers:
            asker.join(30)
    statuses = sum((asker.statuses for asker in askers), Counter[int]())
    assert set(statuses) == {200}, statuses
    assert [m for asker in askers for m in asker.mixed] == []
    engine = installation.engine()
    answers = live.check_answers(engine, "iris")
    print(f"{installation.kind}: {rounds} promotions, {statuses.total()} requests, {answers} answers")
    assert len(live.reigns(engine, "iris")) == rounds + 1
    assert answers > rounds * 4


@pytest.mark.timeout(1800)  # with --long
def test_one_version_is_live_at_every_moment_however_many_decide(
    installation: Installation, packages: dict[str, Any], pytestconfig: pytest.Config
) -> None:
    each = LONG if pytestconfig.getoption("--long") else EACH
    with opened(installation) as app:
        publish_more(app, packages, 5)
        done, over, seen = Counter[str](), threading.Event(), Looks()

        def write(number: int) -> None:
            chance = random.Random(number)
            with app.app_context():
                for _ in range(each):
                    done[_change(app, chance)] += 1

        def read(name: str) -> None:
            with app.app_context():
                while not over.is_set():
                    session().rollback()
                    seen[len(session().scalars(LIVE).all())] += 1
                    ask = Ask("iris", [iris(seen.total())], "api", "r" * 24, time.time_ns())
                    try:
                        predictions.make(app.extensions["desk"], _who(name), ask)
                    except NotReady:  # 503: nowhere else do versions change hundreds of times a second
                        seen.again += 1

        with ThreadPoolExecutor(READERS) as readers:
            reading = [readers.submit(read, name) for name in ("alice", "bob", "alice", "bob")]
            with ThreadPoolExecutor(WRITERS) as writers:
                list(writers.map(write, range(WRITERS)))
            over.set()
            for future in reading:
                future.result(60)
    assert set(seen) == {1}, seen
    assert done["done"] >= WRITERS and done["refused"] > 0, done
    assert done.total() == WRITERS * each
    engine = installation.engine()
    ruled, answers = live.reigns(engine, "iris"), live.check_answers(engine, "iris")
    print(
        f"{installation.kind}: {dict(done)}, {len(ruled)} reigns, {answers} answers, {seen.total()} looks, "
        f"{seen.again} told to try again"
    )
    assert answers > seen.again


class Looks(Counter[int]):
    """How many versions were live, each time that somebody looked; `again` are answers put off."""

    again = 0


LIVE = (
    select(ModelVersion.number)
    .join(Alias, Alias.version_id == ModelVersion.id)
    .join(Model, Model.id == Alias.model_id)
    .where(Model.name == "iris", Alias.name == "live")
)


def _change(app: Flask, chance: random.Random) -> str:
    """One change upon what was just looked at; refused where somebody else was quicker."""
    desk, who = app.extensions["desk"], _who("paula")
    session().rollback()
    revision = releases.standing("iris", actor=who).revision
    version = str(chance.randint(1, 5))
    moves: list[Callable[[], object]] = [
        lambda: releases.promote(desk, who, "iris", version, reason="so", revision=revision),
        lambda: releases.roll_back(desk, who, "iris", None, reason="", revision=revision),
        lambda: releases.set_alias(desk, who, "iris", "candidate", version, revision=revision),
        lambda: releases.drop_alias(who, "iris", "candidate", revision=revision),
    ]
    with suppress(Conflict, Outdated, NotFound):
        chance.choice(moves)()
        return "done"
    return "refused"


def _who(name: str) -> Actor:
    session().rollback()
    user = session().query(User).filter_by(username=name).one()
    return Actor(user.id, name, user.role, access=access_number(session()), stamp=user.stamp)
