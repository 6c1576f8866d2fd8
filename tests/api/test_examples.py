"""Every example of the description runs as it is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.api.written import Operation, Sender
from tests.conftest import MODELS, CleanClient, close, password, settings
from tests.handing_in import flowers
from webapp.app import create_app
from webapp.services import releases, sealing
from webapp.services.jobs.running import run as run_job
from webapp.services.submissions.running import run as run_submission

#: What has to be sent anew for these, because what came of it before has ended or is another's.
ANEW = {
    "cancel_job": ("create_job", {}),
    "cancel_submission": ("publish_version", {}),
    "choose_engine": ("publish_version", {"engine": "ask"}),
    "decide": ("promote", {}),
}


@pytest.fixture
def installation(furnished: Path, tmp_path: Path) -> Iterator[Flask]:
    shutil.copytree(furnished, tmp_path / "data")
    app = create_app(settings(tmp_path / "data"))
    app.test_client_class = CleanClient
    with app.app_context():
        yield app
    close(app)


class Visit:
    """Goes through the document as its admin; what needs a second person is asked by a publisher."""

    def __init__(self, app: Flask) -> None:
        self.app, self.client = app, app.test_client(use_cookies=False)
        self.tokens = {name: self.token(name) for name in ("dave", "paula")}
        told = self.client.get(
            "/api/v1/openapi.json", headers={"Authorization": f"Bearer {self.tokens['dave']}"}
        )
        model, sample = flowers()
        self.sender = Sender(told.json, self.client, {"model.skops": model, "train.csv": sample})
        self.by_name = {o.name: o for o in self.sender.operations()}
        self.answered: dict[str, int] = {}

    def token(self, name: str) -> str:
        body = {"username": name, "password": password(name)}
        return str(self.client.post("/api/v1/login", json=body).json["access_token"])  # type: ignore[index]

    def go(self) -> None:
        left = list(self.by_name.values())
        while left:
            before = len(left)
            left = [operation for operation in left if not self.ask(operation)]
            if len(left) == before:
                return

    def ask(self, operation: Operation) -> bool:
        if operation.name in ANEW and not self.prepare(operation.name):
            return False
        # Its own token, for it would end that of the others.
        token = self.token("dave") if operation.name == "logout" else self.tokens["dave"]
        answer = self.sender.send(operation, token)
        if answer is None:
            return False
        assert answer.status_code < 300, (operation.name, answer.text)
        self.answered[operation.name] = answer.status_code
        self.work(operation.name, answer.json if answer.data else None)
        return True

    def prepare(self, name: str) -> bool:
        parent, changes = ANEW[name]
        if not {parent, "roll_back", "end_experiment"} <= self.answered.keys():
            return False
        if name == "decide":
            releases.require_two(None, "iris", True)
        answer = self.sender.send(self.by_name[parent], self.tokens["paula"], **changes)
        assert answer is not None and answer.status_code == 202, answer and answer.text
        if name == "choose_engine":
            self.work(parent, answer.json)
        return True

    def work(self, name: str, told: Any) -> None:
        """Do what happens behind the scenes, before the answer is looked into."""
        desk = self.app.extensions["desk"]
        if name == "create_job":
            run_job(desk, told["id"], "nobody", lambda: False)
        elif name == "publish_version":
            run_submission(desk, told["id"], "nobody", lambda: False)
        sealing.seal(desk.seals.keys)


@pytest.mark.usefixtures("shown_engines")
def test_every_example_runs_as_written(installation: Flask) -> None:
    visit = Visit(installation)
    visit.go()
    assert visit.by_name.keys() - visit.answered.keys() == set()
    assert {f"predict_{name}" for name in MODELS} <= visit.answered.keys()
