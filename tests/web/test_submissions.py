"""Models sent by page."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.handing_in import form
from tests.web.conftest import Browser
from webapp.services.submissions.running import run

Open = Callable[[str], Browser]
pytestmark = pytest.mark.usefixtures("in_process")


def send(browser: Browser, **changes: Any) -> Any:
    return browser.post("/models/new", form(name="flowers", **changes))


def work(app: Flask, address: str) -> None:
    run(app.extensions["desk"], address.rpartition("/")[2], "nobody", lambda: False)


def test_a_model_from_page_to_page(app: Flask, browser: Open) -> None:
    paula = browser("paula")
    assert 'href="/models/new"' in paula.get("/models").text
    address = send(paula, caveats="Few rows", title="Flowers").location
    page = paula.get(address).text
    assert "data-active" in page and "http-equiv" in page and "Waiting for a worker" in page
    work(app, address)
    page = paula.get(address).text
    assert "It is version 1 of flowers, and answers." in page and "data-active" not in page
    assert "LogisticRegression" in page and "compared on" in page and "without network" in page
    assert "flowers.skops" in paula.get("/submissions").text
    model = paula.get("/models/flowers?version=1").text
    assert "Few rows" in model and 'href="/models/new?model=flowers"' in model
    assert 'value="flowers"' in paula.get("/models/new?model=flowers").text


def test_a_refusal_is_a_page_with_reasons(app: Flask, browser: Open) -> None:
    paula = browser("paula")
    address = send(paula, model=(io.BytesIO(b"PK"), "half.skops")).location
    work(app, address)
    page = paula.get(address).text
    assert "Nothing was published" in page and "not a whole skops file" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "No name"}, "must be 1 to 63 of a-z"),
        ({"target": ""}, "the column of the data"),
        ({"schema": "{"}, "must be a JSON object"),
        ({"model": (io.BytesIO(b"x"), "m.pkl")}, "can run code"),
        ({"data": None}, "send a file under this name"),
    ],
)
def test_what_was_typed_is_still_there(browser: Open, changes: dict[str, Any], words: str) -> None:
    paula = browser("paula")
    answer = paula.post(
        "/models/new", form(**{"name": "flowers", "caveats": "Few <rows>", "promote": "true", **changes})
    )
    assert answer.status_code == 422
    assert (
        words in answer.text and "Few &lt;rows&gt;" in answer.text and "Choose the files again" in answer.text
    )
    assert 'value="true" checked' in answer.text


def test_one_can_be_cancelled_by_who_sent_it_or_an_admin(app: Flask, browser: Open) -> None:
    paula = browser("paula")
    for name in ("paula", "dave"):
        address = send(paula).location
        assert "/cancel" not in browser("carol").get(address).text
        browser(name).post(f"{address}/cancel", {}, page=address)
        assert "Cancelled" in paula.get(address).text
    again = paula.post(f"{address}/cancel", {}, page="/models/new")
    assert again.status_code == 409 and "has ended already" in again.text
    assert paula.get(f"{address}/cancel").location == address


def test_others_do_not_see_it(browser: Open) -> None:
    address = send(browser("paula")).location
    assert browser("alice").get(address).status_code == 404
    assert "flowers" not in browser("alice").get("/submissions").text
    assert "paula" in browser("dave").get("/submissions").text
    assert "/models/new" not in browser("alice").get("/models").text
    assert browser("alice").get("/models/new").status_code == 403
