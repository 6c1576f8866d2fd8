from __future__ import annotations

import gzip

import pytest
from flask import Flask
from flask.testing import FlaskClient

from webapp.web import assets


@pytest.fixture
def where(app: Flask) -> dict[str, str]:
    """The address of a file of each kind."""
    with app.test_request_context():
        return {name: assets.address(name) for name in ("app.css", "js/page.js", *assets.FROM_PACKAGES)}


@pytest.mark.parametrize("name", ["app.css", "js/page.js", *assets.FROM_PACKAGES])
def test_a_file_is_packed_for_who_can_unpack_it(
    client: FlaskClient, where: dict[str, str], name: str
) -> None:
    plain = client.get(where[name])
    packed = client.get(where[name], headers={"Accept-Encoding": "gzip"})
    refused = client.get(where[name], headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data
    for answer in (plain, packed):
        assert answer.headers.getlist("Vary") == ["Accept-Encoding"]
        assert answer.headers["Cache-Control"] == assets.FOREVER


def test_an_address_of_yesterday_leads_to_that_of_today(client: FlaskClient, where: dict[str, str]) -> None:
    answer = client.get("/assets/000000000000/app.css")
    assert (answer.status_code, answer.location) == (302, where["app.css"])
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "name", ["absent.css", "../config.py", "js", "js/../../config.py", "%2e%2e/config.py"]
)
def test_there_is_nothing_but_what_pages_load(client: FlaskClient, name: str) -> None:
    assert client.get(f"/assets/0/{name}").status_code == 404
