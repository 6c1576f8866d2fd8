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
    again = paula.get("/models/new?model=flowers").text
    assert 'value="flowers"' in again and 'value="target"' in again and ">Few rows</textarea>" in again


def test_a_refusal_is_a_page_with_reasons(app: Flask, browser: Open) -> None:
    paula = browser("paula")
    address = send(paula, model=(io.BytesIO(b"PK"), "half.skops")).location
    work(app, address)
    page = paula.get(address).text
    assert "Nothing was published" in page and "not a whole skops file" in page


def test_what_an_inspection_says_is_said_in_the_readers_language(app: Flask, browser: Open) -> None:
    paula = browser("paula")
    address = send(paula, model=(io.BytesIO(b"PK"), "half.skops")).location
    work(app, address)
    paula.get("/login?language=pt-BR")
    page = paula.client.get(address, headers={"Accept-Language": "pt-BR"}).text
    assert "Este não é um arquivo skops inteiro" in page and "not a whole skops file" not in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "No name"}, "must be 1 to 63 of a-z"),
        ({"target": ""}, "the column of the data"),
        ({"schema": "{"}, "must be a JSON object"),
        ({"model": (io.BytesIO(b"x"), "m.pkl")}, "can run code"),
        ({"data": None}, "send a file under this name"),
        ({"engine": "gpu"}, "must be one of auto, ask"),
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


def test_engines_side_by_side_and_one_of_them_published(
    app: Flask, browser: Open, shown_engines: list[str]
) -> None:
    paula = browser("paula")
    assert "The fastest that answers exactly alike" in paula.get("/models/new").text
    address = send(paula, engine="ask").location
    work(app, address)
    page = paula.get(address).text
    assert "data-active" not in page and "/cancel" in page and "nothing is published yet" in page
    for words in (
        "ONNX quantised to 8 bits",
        "96.0 %",
        "0.19",
        "&lt; 0.0001",
        "0.94",
        "0.48 kB",
        "150 rows",
        "gives another answer too often",
    ):
        assert words in page, words
    assert 'value="onnx-int8"' in page and 'value="pruned"' not in page
    assert paula.get(f"{address}/engine").location == address
    assert paula.post(f"{address}/engine", {"engine": "onnx-int8"}, page=address).location == address
    assert "data-active" in paula.get(address).text
    work(app, address)
    page = paula.get(address).text
    assert "The publisher picked ONNX quantised to 8 bits, which answers 96.0 % of the" in page
    assert shown_engines == ["ask", "onnx-int8"] and 'value="onnx-int8"' not in page
    for path in ("/models/flowers", "/models/flowers/card"):
        page = browser("alice").get(path).text
        assert (
            "The publisher picked ONNX quantised to 8 bits" in page
            and "gives another answer too often" in page
        )
        assert "<dt>One row</dt><dd>ONNX quantised to 8 bits, " in page
        assert 'ONNX quantised to 8 bits</b> <span class="tag live">picked</span>' in page


def test_a_choice_that_cannot_be_is_refused_on_the_page(
    app: Flask, browser: Open, shown_engines: list[str]
) -> None:
    paula = browser("paula")
    address = send(paula, engine="ask").location
    work(app, address)
    refused = paula.post(f"{address}/engine", {"engine": "pruned"}, page=address)
    assert refused.status_code == 422 and "must be one of those offered: auto, sklearn" in refused.text
    paula.post(f"{address}/engine", {"engine": "auto"}, page=address)
    again = paula.post(f"{address}/engine", {"engine": "onnx"}, page="/models/new")
    assert again.status_code == 409 and "does not wait for an engine" in again.text


def test_only_who_may_pick_an_engine_is_given_a_button(
    app: Flask, browser: Open, shown_engines: list[str]
) -> None:
    address = send(browser("paula"), engine="ask").location
    work(app, address)
    for name, buttons in (("paula", 1), ("dave", 1), ("carol", 0)):
        page = browser(name).get(address).text
        assert page.count("Publish with this engine") == buttons and "Engines side by side" in page
    assert browser("paula").post(f"{address}/cancel", {}, page=address).location == address
    assert "Cancelled" in browser("paula").get(address).text


def test_what_the_desk_took_by_itself_is_told(app: Flask, browser: Open, shown_engines: list[str]) -> None:
    paula = browser("paula")
    work(app, address := send(paula).location)
    assert "It was left to the desk" in paula.get(address).text
    page = paula.get("/models/flowers").text
    assert "left it to the desk, which took the fastest that answers exactly alike: ONNX." in page
