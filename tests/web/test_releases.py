"""The page on which versions are released."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from tests.web.conftest import Browser
from webapp.db.base import session
from webapp.services import registry, releases
from webapp.services.people import Actor

Open = Callable[[str], Browser]
PAGE = "/models/iris/releases"


@pytest.fixture(autouse=True)
def second(app: Flask, packages: dict[str, Any]) -> None:
    registry.publish(app.extensions["desk"].store, packages["iris"][1], name="iris", title="")


def now() -> releases.Standing:
    session().rollback()  # what the server has changed since is not in an older snapshot
    return releases.standing("iris", actor=None)


def change(paula: Browser, act: str, **fields: str) -> Any:
    fields = {"revision": str(now().revision)} | fields
    return paula.post(f"{PAGE}/{act}", fields, PAGE)


def test_a_version_is_put_forward_promoted_and_taken_back(browser: Open) -> None:
    paula = browser("paula")
    assert change(paula, "candidate", version="2").location == PAGE
    assert "Version 2 is put forward." in paula.get(PAGE).text
    change(paula, "promote", version="2", reason="Better in May")
    page = paula.get(PAGE).text
    assert "Version 2 answers from now on." in page and "Better in May" in page
    assert "Roll back to version 1" in page
    change(paula, "rollback", version="1")
    assert now().aliases == {"live": "1"}


def test_analysts_and_auditors_see_what_was_live_and_change_nothing(browser: Open) -> None:
    change(browser("paula"), "promote", version="2", reason="Better in May")
    for name in ("alice", "carol"):
        page = browser(name).get(PAGE)
        assert page.status_code == 200 and "Better in May" in page.text
        assert "<button" not in page.text.split('id="past"')[0].split("<main")[1]
        assert ("proof.json" in page.text) is (name == "carol")
    assert change(browser("alice"), "promote", version="1", reason="x").status_code == 403


def test_a_reason_that_is_missing_is_asked_for_where_it_belongs(browser: Open) -> None:
    answer = change(browser("paula"), "promote", version="2", reason=" ")
    assert answer.status_code == 422
    assert answer.text.count("say why; it goes on the record") == 1
    assert 'aria-describedby="promote-2-wrong"' in answer.text


def test_what_was_typed_is_not_lost(browser: Open) -> None:
    paula = browser("paula")
    stale = str(now().revision)
    change(browser("dave"), "candidate", version="2")
    answer = change(paula, "promote", version="2", reason="A long story", revision=stale)
    assert answer.status_code == 412
    assert "has changed since you looked" in answer.text and "A long story" in answer.text
    answer = change(paula, "alias", version="2", alias="Not one")
    assert answer.status_code == 422 and 'value="Not one"' in answer.text


def test_a_form_without_a_revision_changes_nothing(browser: Open) -> None:
    for told in ("", "x", "9" * 30, "-1"):
        assert change(browser("paula"), "promote", version="2", reason="x", revision=told).status_code == 412
    assert now().live == "1"


def test_one_asks_and_another_decides(app: Flask, browser: Open, actor: Callable[[str], Actor]) -> None:
    releases.require_two(actor("dave"), "iris", True)
    paula, dave = browser("paula"), browser("dave")
    change(paula, "promote", version="2", reason="Better in May")
    request = now().request
    assert request is not None
    mine, theirs = paula.get(PAGE).text, dave.get(PAGE).text
    assert "Withdraw it" in mine and "Approve version 2" not in mine
    assert "paula asks to promote version 2" in theirs and "Approve version 2" in theirs
    answer = change(dave, "refuse", request=request.id, reason="")
    assert answer.status_code == 422 and 'aria-describedby="decide-wrong"' in answer.text
    assert change(paula, "approve", request=request.id).status_code == 403
    change(dave, "approve", request=request.id, reason="Fine")
    assert now().live == "2"
    assert "asked by paula" in browser("alice").get(PAGE).text


def test_an_alias_is_set_and_taken_away(browser: Open) -> None:
    paula = browser("paula")
    change(paula, "alias", version="2", alias="winter")
    assert "winter leads to version 2." in paula.get(PAGE).text
    change(paula, "drop", alias="winter")
    assert now().aliases == {"live": "1"}


def test_a_moment_is_asked_for(browser: Open) -> None:
    change(browser("paula"), "promote", version="2", reason="Better")
    alice = browser("alice")
    session().rollback()
    promoted = releases.history("iris", actor=None)[0].at_us
    before = datetime.fromtimestamp((promoted - 1) / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    assert "version 1 answered" in alice.get(f"{PAGE}?at={before}").text
    assert "no version of this model answered" in alice.get(f"{PAGE}?at=2020-01-01T00:00").text
    answer = alice.get(f"{PAGE}?at=soon")
    assert answer.status_code == 422 and 'aria-describedby="at-wrong"' in answer.text


def test_an_act_that_is_none_is_not_found(browser: Open) -> None:
    assert change(browser("paula"), "explode").status_code == 404


def test_an_admin_decides_that_two_people_release(browser: Open) -> None:
    dave = browser("dave")
    page = "/admin/models/iris"
    assert dave.post(page, {"open_to": "all", "two_people": "yes"}, page).status_code == 302
    assert now().two_people
    assert 'name="two_people" value="yes" checked' in dave.get(page).text
    dave.post(page, {"open_to": "all"}, page)
    assert not now().two_people
