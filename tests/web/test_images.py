from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from tests.demo_desk import publish_demo


@pytest.fixture
def browser(app: Flask, signed_in: Callable[[str], FlaskClient]) -> Iterator[FlaskClient]:
    publish_demo(app, "digits")
    yield signed_in("alice")


def file(format: str = "PNG", size: tuple[int, int] = (8, 8), shade: int = 90) -> bytes:
    made = io.BytesIO()
    Image.new("L", size, shade).save(made, format)
    return made.getvalue()


def fields(page: str) -> dict[str, str]:
    """What the form would send, without the file."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


def ask(browser: FlaskClient, data: bytes | None, page: str | None = None, **more: str) -> str:
    form = fields(page or browser.get("/models/digits/predict").text) | more
    body = form | ({} if data is None else {"image": FileStorage(io.BytesIO(data), "digit.png")})
    boundary, encoded = encode_multipart(body)
    kind = f"multipart/form-data; boundary={boundary}"
    answer = browser.post("/models/digits/predict", data=encoded, content_type=kind)
    return browser.get(answer.location).text if answer.status_code == 302 else answer.text


def test_a_file_is_asked_about_and_shown_beside_its_answer(browser: FlaskClient) -> None:
    data = file()
    page = ask(browser, data)
    assert f'src="data:image/png;base64,{base64.b64encode(data).decode()}"' in page
    assert 'aria-label="Probability of each class"' in page
    assert "image 8×8, " in page


def test_the_record_its_print_and_the_history_show_an_image(browser: FlaskClient) -> None:
    page = ask(browser, file())
    record = re.search(r"/predictions/(pred_[0-9a-f]{44})", page)
    assert record
    for address in (f"/predictions/{record[1]}", f"/predictions/{record[1]}/print"):
        assert '<img src="data:image/png;base64,' in browser.get(address).text
    ledger = browser.get("/predictions").text
    assert "image 8×8, 7" in ledger
    assert "iVBOR" not in ledger


def test_what_if_and_new_from_this_carry_the_image_along(browser: FlaskClient) -> None:
    page = ask(browser, file())
    again = ask(browser, None, page, **{"form-mode": "what-if"})
    assert "The same values as before." in again
    other = ask(browser, file(shade=10), page, **{"form-mode": "what-if"})
    assert other.count("<img src=") >= 1
    assert "The same values as before." not in other


def test_a_file_that_is_no_image_is_refused_beside_its_field(browser: FlaskClient) -> None:
    page = ask(browser, b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert "Image is no PNG, JPEG or WebP; save it as one of these" in page
    assert "<svg xmlns" not in page


def test_a_file_that_is_too_large_is_told_how_large_it_may_be(browser: FlaskClient) -> None:
    assert "Image is larger than 700 kB; make it smaller, and send it again" in ask(browser, b"x" * 3_000_000)


def test_an_image_is_needed(browser: FlaskClient) -> None:
    assert "Image is required; give an image as base64" in ask(browser, None)


def test_an_export_says_what_an_image_is(browser: FlaskClient) -> None:
    ask(browser, file())
    table = browser.get("/predictions.csv?model=digits").text
    assert re.search(r"image 8×8, \d+ B, sha256 [0-9a-f]{64}", table)
    assert "iVBOR" not in table


def test_a_search_does_not_look_into_an_image(browser: FlaskClient) -> None:
    ask(browser, file())
    assert "No record matches" in browser.get("/predictions?q=iVBOR").text
