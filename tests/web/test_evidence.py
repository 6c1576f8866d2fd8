"""The pages of evidence, and what printed pages carry."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.services.test_predictions import SETOSA, Cast, ask
from tests.web.conftest import Browser as Typing
from webapp.db.base import session, transaction
from webapp.services import predictions, sealing
from webapp.services.verifying import claims, runs

Browser = Callable[[str], FlaskClient]


@pytest.fixture
def record(app: Flask, actor: Cast) -> str:
    [made] = predictions.make(app.extensions["desk"], actor("alice"), ask(SETOSA))
    return made.id


@pytest.fixture
def sealed(app: Flask, record: str) -> sealing.Sealed:
    sealing.seal(app.extensions["desk"].seals.keys)
    newest = sealing.newest()
    assert newest is not None
    return newest


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_before_anything_is_sealed_the_page_says_so(signed_in: Browser, record: str) -> None:
    assert "Nothing is sealed yet" in signed_in("carol").get("/audit").text
    page = signed_in("alice").get(f"/predictions/{record}").text
    assert "not yet; it takes some seconds" in page
    assert signed_in("alice").get(f"/predictions/{record}/proof.json").status_code == 409
    assert signed_in("alice").get("/audit/checkpoint.txt").status_code == 404
    assert signed_in("alice").get(f"/predictions/{record}/print").status_code == 200


def test_a_record_says_where_it_is_sealed_and_gives_its_proof(
    signed_in: Browser, record: str, sealed: sealing.Sealed
) -> None:
    browser = signed_in("alice")
    page = plain(browser.get(f"/predictions/{record}").text)
    assert f"entry {sealed.size} of {sealed.size}" in page
    answer = browser.get(f"/predictions/{record}/proof.json")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{record}.proof.json"'
    assert json.loads(answer.data)["checkpoint"] == sealed.note
    assert signed_in("bob").get(f"/predictions/{record}/proof.json").status_code == 404


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE predictions SET inputs = replace(inputs, '5', '6')", "the inputs are not what"),
        ("UPDATE predictions SET output = replace(output, 'setosa', 'virginica')", "the answer is not what"),
        ("UPDATE predictions SET output = '{'", "the answer is not what"),
        ("UPDATE predictions SET inputs = 'x'", "the inputs are not what"),
        ("UPDATE predictions SET label = 'virginica'", "what is searched for is not what"),
        ("UPDATE predictions SET created_us = created_us - 1", "the record is not what its entry says"),
        ("UPDATE predictions SET salts = NULL, inputs = NULL", "gone without an erasure"),
        ("UPDATE leaves SET canonical = canonical || ' '", "not what its hash was made of"),
        ("DELETE FROM leaves WHERE kind = 'prediction'", "the record is gone"),
        ("UPDATE tiles SET hashes = zeroblob(length(hashes))", "not the one that was sealed"),
        ("UPDATE checkpoints SET note = replace(note, 'parecer/', 'pareces/')", "is not signed by a key"),
        ("UPDATE checkpoints SET note = 'nothing'", "is not signed by a key"),
        ("UPDATE checkpoints SET root = zeroblob(32)", "not the one that was signed"),
        ("UPDATE checkpoints SET size = size + 9", "not the one that was signed"),
        ("DELETE FROM checkpoints", "that were signed here are gone"),
    ],
)
def test_an_altered_record_says_so_on_page_and_paper(
    signed_in: Browser, record: str, sealed: sealing.Sealed, statement: str, told: str
) -> None:
    if session().get_bind().dialect.name != "sqlite":
        statement = statement.replace(
            "zeroblob(length(hashes))", "decode(repeat('00', length(hashes)), 'hex')"
        )
    browser = signed_in("alice")
    assert "This record is altered" not in browser.get(f"/predictions/{record}").text
    assert "question and answer as they were sealed" in browser.get(f"/predictions/{record}").text
    with transaction() as current:
        current.execute(text(statement))
    assert browser.get("/predictions").status_code == 200
    for page in (f"/predictions/{record}", f"/predictions/{record}/print"):
        answer = browser.get(page)
        assert answer.status_code == 200
        assert "This record is altered" in answer.text and told in answer.text
        assert "question and answer as they were sealed" not in answer.text
        assert "0000 0000 0000" not in answer.text


@pytest.mark.parametrize("path", ["/predictions/{record}/print", "/audit/print", "/audit", "/audit/live"])
def test_paper_carries_the_checkpoint_as_text_and_picture(
    signed_in: Browser, record: str, sealed: sealing.Sealed, path: str
) -> None:
    page = signed_in("carol").get(path.format(record=record)).text
    assert 'class="qr"' in page
    newest = sealing.newest()
    assert newest is not None
    assert claims.groups(newest.root) in page


def test_every_page_carries_the_checkpoint_when_it_is_printed(
    signed_in: Browser, sealed: sealing.Sealed
) -> None:
    for path in ("/", "/predictions", "/models", "/admin/activity", "/account"):
        page = plain(signed_in("carol").get(path).text)
        assert re.search(r"Checkpoint of [\d\s]+ entries, root (\w{4} ?){16}", page), path


def test_a_verification_is_asked_for_followed_and_read(
    browser: Callable[[str], Typing], app: Flask, sealed: sealing.Sealed
) -> None:
    carol = browser("carol")
    answer = carol.post("/audit/verifications", {"checkpoint": sealed.note}, "/audit")
    assert answer.status_code == 302
    page = answer.location
    assert "Waits for a worker" in carol.get(page).text
    assert "data-active" in carol.get(f"{page}/state").text
    assert carol.post(f"{page}/cancel", {}, page).status_code == 302
    assert "Cancelled" in carol.get(page).text
    page = carol.post("/audit/verifications", {"checkpoint": sealed.note}, "/audit").location
    runs.work(app.extensions["desk"].seals.keys)
    text = plain(carol.get(page).text)
    assert "Nothing is altered." in text
    assert f"checkpoint of {sealed.size} entries: agrees" in text
    assert "nothing altered, anchored" in carol.get("/audit").text


def test_a_checkpoint_that_is_none_is_kept_in_the_form(browser: Callable[[str], Typing]) -> None:
    answer = browser("carol").post("/audit/verifications", {"checkpoint": "1204 <b>"}, "/audit")
    assert answer.status_code == 422
    assert "is no checkpoint" in answer.text
    assert "1204 &lt;b&gt;" in answer.text


def test_checkpoints_keys_and_consistency_are_taken_away(
    signed_in: Browser, app: Flask, sealed: sealing.Sealed
) -> None:
    browser = signed_in("carol")
    sealing.seal(app.extensions["desk"].seals.keys)  # the sign-in
    newest = sealing.newest()
    assert newest is not None
    assert browser.get("/audit/checkpoint.txt").text == newest.note
    assert browser.get(f"/audit/checkpoint.txt?size={sealed.size}").text == sealed.note
    proof = browser.get(f"/audit/consistency.json?from={sealed.size}&to={newest.size}").json
    assert (proof["from"], proof["to"]) == (sealed.note, newest.note)
    assert browser.get("/audit/keys.txt").text == app.extensions["desk"].seals.keys.known()[0].text() + "\n"
    assert "RFC 6962" in browser.get("/audit/verify_record.py").text
    for wrong in ("from=1", "from=x&to=2", "from=2&to=1", "from=9999&to=99999"):
        answer = browser.get(f"/audit/consistency.json?{wrong}")
        assert answer.status_code in (404, 422)
        assert 'name="from"' in answer.text  # the form is still there


def test_an_event_gives_its_proof_to_who_sees_all(signed_in: Browser, sealed: sealing.Sealed) -> None:
    page = signed_in("carol").get("/admin/activity?kind=publish").text
    address = re.search(r'href="(/admin/activity/evt_\w+/proof.json)"', page)[1]
    assert json.loads(json.loads(signed_in("carol").get(address).data)["facts"])["model"] in page
    assert signed_in("alice").get(address).status_code == 403


def test_what_was_live_when_is_told_for_any_time(signed_in: Browser) -> None:
    browser = signed_in("carol")
    assert "diabetes" in browser.get("/audit/live").text
    assert "No model answered then" in browser.get("/audit/live?at=2020-01-01").text
    assert browser.get("/audit/live?at=yesterday").status_code == 422


def test_what_stops_sealing_is_told_on_the_page(
    signed_in: Browser, app: Flask, sealed: sealing.Sealed
) -> None:
    folder = app.extensions["desk"].seals.keys._folder
    (folder / "private").write_text("gone")
    browser = signed_in("carol")
    with pytest.raises(Exception, match="not base64"):
        sealing.seal_and_tell(app.extensions["desk"].seals.keys)
    assert "Nothing more is sealed." in browser.get("/audit").text
