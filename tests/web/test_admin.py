"""People, model access and activity, for admins."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask

from tests.conftest import ApiClient, password
from tests.web.conftest import IRIS, Browser
from webapp.db.base import transaction
from webapp.services import audit, tokens, users
from webapp.services.people import Actor

Open = Callable[[str], Browser]
PEOPLE = Callable[[str], Actor]


def test_a_person_is_let_in_with_a_link(app: Flask, browser: Open) -> None:
    form = {"username": "erin", "role": "analyst", "give": "link"}
    made = browser("dave").post("/admin/users", form).text
    [link] = re.findall(r'<span class="mono">http://localhost(/reset/[\w-]+)</span>', made)
    erin, new = Browser(app.test_client()), "correct horse battery staple"
    assert erin.post(link, {"password": new, "again": new}).status_code == 302
    assert erin.post("/login", {"username": "erin", "password": new}).location == "/"
    assert erin.get("/models").status_code == 200


def test_a_link_is_made_for_somebody_who_is_there(browser: Open) -> None:
    dave = browser("dave")
    assert "/reset/" in dave.post("/admin/users/alice/link", {}, page="/admin/users/alice").text
    assert "/reset/" not in dave.get("/admin/users/alice").text


def test_people_are_searched_for(browser: Open) -> None:
    page = browser("dave").get("/admin/users?q=AL").text
    assert "/admin/users/alice" in page and "/admin/users/bob" not in page
    assert "No username contains this." in browser("dave").get("/admin/users?q=%00").text


def test_a_person_that_is_not_there_is_not_found(browser: Open) -> None:
    assert browser("dave").get("/admin/users/nobody").status_code == 404


def test_an_admin_sees_and_ends_what_others_are_signed_in_with(
    app: Flask, browser: Open, actor: PEOPLE
) -> None:
    alice, dave = browser("alice"), browser("dave")
    tokens.make(actor("alice"), "nightly load", 30)
    page = dave.get("/admin/users/alice").text
    assert "nightly load" in page
    family = re.findall(r'name="family" value="([^"]+)"', page)[0]
    dave.post("/admin/users/alice/end", {"family": family}, page="/admin/users/alice")
    assert family not in dave.get("/admin/users/alice").text
    dave.post("/admin/users/alice/end-all", {}, page="/admin/users/alice")
    assert alice.get("/").status_code == 302
    late = dave.post("/admin/users/alice/end", {"family": family}, page="/admin/users/alice")
    assert late.status_code == 409 and "ended already" in late.text


def restrict(browser: Browser, *people: str, open_to: str = "chosen") -> int:
    page = browser.get("/admin/models/iris").text
    csrf = page.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": csrf, "open_to": open_to, "person": list(people)}
    return browser.client.post("/admin/models/iris", data=form).status_code


def test_a_restricted_model_is_absent_on_every_face(browser: Open, api: Callable[[str], ApiClient]) -> None:
    asked = browser("bob").post("/models/iris/predict", dict(IRIS)).location
    record = asked.split("record=")[1].split("#")[0]
    assert restrict(browser("dave"), "alice") == 302
    bob, ask = browser("bob"), api("bob")
    for path in ("/models/iris", "/models/iris/predict"):
        assert bob.get(path).status_code == 404, path
    for path in ("/models", "/predictions", "/"):
        assert "iris</option>" not in bob.get(path).text and "/models/iris" not in bob.get(path).text
    assert bob.post("/models/iris/predict", dict(IRIS), page="/account").status_code == 404
    for method, path, body in (
        ("GET", "/models/iris", None),
        ("GET", "/models/iris/versions", None),
        ("POST", "/models/iris/predict", {"inputs": {n: float(v) for n, v in IRIS.items()}}),
        ("POST", "/predict", {"inputs": {}}),
    ):
        assert ask(method, path, body)[0] == 404, path
    assert "iris" not in [m["name"] for m in ask("GET", "/models")[1]["data"]]
    assert "/models/iris/predict" not in ask("GET", "/openapi.json")[1]["paths"]
    assert bob.get(f"/predictions/{record}").status_code == 200
    assert bob.get(f"/predictions/{record}/print").status_code == 200
    assert bob.get("/predictions.csv?model=iris").text.count("\n") == 2
    assert browser("paula").get("/predictions.csv?model=iris").status_code == 404


def test_those_chosen_admins_and_auditors_still_have_it(
    browser: Open, api: Callable[[str], ApiClient]
) -> None:
    restrict(browser("dave"), "alice")
    body = {"inputs": {n: float(v) for n, v in IRIS.items()}}
    assert [api(name)("POST", "/models/iris/predict", body)[0] for name in ("alice", "dave")] == [200, 200]
    assert browser("carol").get("/models/iris").status_code == 200
    restrict(browser("dave"), open_to="all")
    assert api("bob")("POST", "/models/iris/predict", body)[0] == 200


def test_who_may_use_a_model_is_shown_where_it_is_changed(browser: Open) -> None:
    dave = browser("dave")
    restrict(dave, "alice", "paula")
    assert "alice, paula" in dave.get("/admin/models").text
    form = dave.get("/admin/models/iris").text
    assert form.count("checked") == 3  # chosen people, and two of them
    assert 'value="carol"' not in form and 'value="dave"' not in form
    assert dave.get("/admin/models/nothing").status_code == 404
    assert restrict(dave, "nobody") == 404


def test_activity_is_told_in_words_with_its_filters_in_the_address(browser: Open) -> None:
    dave = browser("dave")
    dave.post("/admin/users/bob/role", {"role": "auditor"}, page="/admin/users")
    page = browser("carol").get("/admin/activity?kind=role-changed&person=bob&from=2026-01-01").text
    assert page.count("Role changed") == 2  # in the list of kinds, and once
    assert "before <b>analyst</b>" in page and "role <b>auditor</b>" in page
    assert 'value="2026-01-01"' in page
    assert "Nothing of the kind" in dave.get("/admin/activity?person=nobody").text


def test_a_filter_of_activity_that_means_nothing_is_explained(browser: Open) -> None:
    answer = browser("dave").get("/admin/activity?from=soon&person=alice")
    assert answer.status_code == 422
    assert 'id="from-wrong"' in answer.text and 'value="alice"' in answer.text
    assert browser("dave").get("/admin/activity?cursor=x").status_code == 400


def test_older_activity_is_a_page_further(app: Flask, browser: Open) -> None:
    for _ in range(30):
        users.disable("bob", None)
        users.enable("bob", None)
    dave = browser("dave")
    first = dave.get("/admin/activity?person=bob").text
    [older] = re.findall(r'href="([^"]+)" rel="next"', first)
    second = dave.get(older.replace("&amp;", "&")).text
    assert first.count('<td class="when">') == 50 and second.count('<td class="when">') == 10
    assert "person=bob" in older and "Newest" in second


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_refused_sign_in_is_found_by_who_it_was_tried_at(app: Flask, browser: Open, name: str) -> None:
    app.test_client().post("/api/v1/login", json={"username": name, "password": "wrong"})
    page = browser("dave").get(f"/admin/activity?kind=sign-in-refused&person={name}").text
    assert page.count('<td class="when">') == (1 if name == "alice" else 0)
    assert password("alice") not in page


def test_a_review_leads_to_its_record(app: Flask, browser: Open, asked: Callable[..., str]) -> None:
    record, facts = asked("alice"), {"action": "confirmed", "note": "0" * 64}
    with transaction() as current:
        audit.append(current, "review", None, {"record": record, **facts})
    page = browser("carol").get("/admin/activity?kind=review").text
    assert f'href="/predictions/{record}"' in page and "decision <b>confirmed</b>" in page
    assert facts["note"] not in page
