"""The pages on which versions are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.web.conftest import Browser
from webapp.db.base import session
from webapp.services import experiments, registry, releases

Open = Callable[[str], Browser]
PAGE = "/models/iris/experiments"


@pytest.fixture(autouse=True)
def second(app: Flask, packages: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    desk = app.extensions["desk"]
    registry.publish(desk.store, packages["iris"][1], name="iris", title="")
    monkeypatch.setattr(desk.repeats, "_later", lambda _seconds, work: work())


def revision() -> str:
    session().rollback()
    return str(releases.standing("iris", actor=None).revision)


def newest() -> experiments.ExperimentInfo:
    session().rollback()
    return experiments.search(None, "iris")[0]


def start(who: Browser, **fields: str) -> Any:
    form = {"version": "2", "kind": "shadow", "share": "100", "revision": revision()}
    return who.post(f"{PAGE}/start", form | fields, PAGE)


def test_a_shadow_is_begun_seen_and_ended(browser: Open, asked: Callable[..., str]) -> None:
    paula = browser("paula")
    address = start(paula).location
    assert "Nothing has been answered by both yet" in paula.get(address).text
    record = asked("alice")
    page = browser("alice").get(address).text
    assert "Version 2 against version 1" in page and "Same class" in page and "End it" not in page
    assert "not enough" in page or "Nothing can be concluded yet" in page
    assert " µs" in page and ".0 µs" not in page
    assert "Compared in" in browser("alice").get(f"/predictions/{record}").text
    assert "Version 2 is compared with version 1 now." in paula.get(PAGE).text
    paula.post(f"{address}/end", {"revision": revision()}, address)
    assert "The comparison has ended" in paula.get(address).text
    assert newest().ended_us is not None


def test_a_share_is_read_as_people_write_it(browser: Open) -> None:
    for text, told in (("x", "a number of per cent"), ("0", "0.1 to 99.9 per cent"), ("100", "0.1 to 99.9")):
        answer = start(browser("paula"), kind="split", share=text)
        assert answer.status_code == 422 and "share-wrong" in answer.text
        assert f'value="{text}"' in answer.text and told in answer.text
    start(browser("paula"), kind="split", share="12,5 %")
    assert newest().share == 0.125


def test_a_share_that_is_left_out_is_all_answers_or_half_the_subjects(browser: Open) -> None:
    for kind, share in (("shadow", 1.0), ("split", 0.5)):
        address = start(browser("paula"), kind=kind, share="").location
        assert newest().share == share
        experiments.end(None, address.rpartition("/")[2])


def test_a_split_shows_both_sides(browser: Open, asked: Callable[..., str]) -> None:
    address = start(browser("paula"), kind="split", share="50").location
    for n in range(6):
        asked("alice", **{"record-subject": f"case {n}"})
    page = browser("alice").get(address).text
    assert "An A/B test has no verdict" in page and "Do they agree?" not in page


def test_analysts_look_and_begin_nothing(browser: Open) -> None:
    assert "Begin a comparison" not in browser("alice").get(PAGE).text
    assert start(browser("alice")).status_code == 403
    assert start(browser("paula"), revision="99").status_code == 412


def test_one_version_alone_says_what_to_do(browser: Open) -> None:
    page = "/models/diabetes/experiments"
    assert "there is only one version" in browser("alice").get(page).text
    assert 'href="/models/new?model=diabetes"' in browser("paula").get(page).text
