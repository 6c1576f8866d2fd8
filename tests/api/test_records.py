"""The record, read by a program."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient

STRANGE = ("endpoint", "_method", "_scheme", "_external", "_anchor", "_values", "self", "page")
ASKED = {"model": "iris", "from": "2026-01-01", "limit": "5"}


def test_links_hold_the_words_of_the_search(client: FlaskClient, token: Callable[[str], str]) -> None:
    shown = {"Authorization": f"Bearer {token('alice')}"}
    answer = client.get("/api/v1/predictions", query_string={**ASKED, "offset": "0"}, headers=shown)
    link = urlsplit(answer.headers["Link"].split(">")[0].removeprefix("<"))
    assert (link.scheme, link.netloc, link.path, link.fragment) == ("", "", "/api/v1/predictions", "")
    assert parse_qs(link.query) == {word: [text] for word, text in ASKED.items()}


@pytest.mark.parametrize(
    ("word", "hint"),
    [("modle", "“model”"), ("curser", "“cursor”"), ("a/b\ud800", ""), *((w, "") for w in STRANGE)],
)
def test_an_unknown_word_is_refused_with_a_pointer_and_a_hint(
    client: FlaskClient, token: Callable[[str], str], word: str, hint: str
) -> None:
    shown = {"Authorization": f"Bearer {token('alice')}"}
    query = urlencode({word: "x"}, errors="surrogatepass")
    answer = client.get(f"/api/v1/predictions?{query}", headers=shown)
    assert answer.status_code == 422
    [problem] = answer.json["errors"]
    assert problem["pointer"].startswith(f"#/{word[:1]}")
    assert hint in problem["detail"]


@pytest.mark.parametrize("query", ["from=0001-01-01T00:00:00%2B14:00", "to=9999-12-31"])
def test_an_impossible_time_is_refused_with_a_pointer(
    client: FlaskClient, token: Callable[[str], str], query: str
) -> None:
    shown = {"Authorization": f"Bearer {token('alice')}"}
    answer = client.get(f"/api/v1/predictions?{query}", headers=shown)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == f"#/{query.partition('=')[0]}"


def test_an_answer_tells_where_it_comes_from(client: FlaskClient, token: Callable[[str], str]) -> None:
    shown = {"Authorization": f"Bearer {token('alice')}"}
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    made = client.post("/api/v1/models/iris/predict", json={"inputs": row}, headers=shown).json
    told = client.get(f"/api/v1/predictions/{made['id']}/lineage", headers=shown)
    record = client.get(f"/api/v1/predictions/{made['id']}", headers=shown).json
    assert told.status_code == 200
    assert told.json["artifact_sha256"] == record["artifact_sha256"]
    assert (told.json["release"]["kind"], told.json["published_by"]) == ("publish", None)
    others = {"Authorization": f"Bearer {token('bob')}"}
    assert client.get(f"/api/v1/predictions/{made['id']}/lineage", headers=others).status_code == 404
