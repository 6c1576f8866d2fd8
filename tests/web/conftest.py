from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.records import Ledger
from webapp.db.base import session

IRIS = {"sepal_length": "5.1", "sepal_width": "3.5", "petal_length": "1.4", "petal_width": "0.2"}


class Browser:
    """Somebody signed in; `post` takes the token from the page that the form is on."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, form: dict[str, str], page: str | None = None) -> TestResponse:
        shown = self.get(page or path).text
        token = shown.split('name="csrf_token" value="')[1].split('"')[0]
        return self.client.post(path, data={"csrf_token": token, **form})


@pytest.fixture
def browser(signed_in: Callable[[str], FlaskClient]) -> Callable[[str], Browser]:
    return lambda name: Browser(signed_in(name))


@pytest.fixture
def ledger(app: object) -> Ledger:
    return Ledger(session())


@pytest.fixture
def asked(browser: Callable[[str], Browser]) -> Callable[..., str]:
    """asked("alice", petal_length="9"): she asks iris through the form; returns the record's id."""

    def ask(name: str, **changes: str) -> str:
        answer = browser(name).post("/models/iris/predict", {**IRIS, **changes})
        assert answer.status_code == 302, answer.text
        return str(answer.location).split("record=")[1].split("#")[0]

    return ask
