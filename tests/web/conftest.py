from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.records import Ledger
from webapp.db.base import session

IRIS = {"sepal_length": "5.1", "sepal_width": "3.5", "petal_length": "1.4", "petal_width": "0.2"}


class Typed(HTMLParser):
    """The fields of the form of a page, as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._select, self._textarea = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "textarea":
            self._textarea, self.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = value
        elif tag == "input" and name and (given.get("type") != "radio" or "checked" in given):
            self.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        self._select = "" if tag == "select" else self._select
        self._textarea = "" if tag == "textarea" else self._textarea

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.fields[self._textarea] += data


def typed_in(page: str) -> dict[str, str]:
    """What the form that asks a model holds, hidden fields too; not its token."""
    parser = Typed()
    parser.feed(page.split('id="ask"')[1].split("</form>")[0])
    return {name: value for name, value in parser.fields.items() if name != "csrf_token"}


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
