from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

from tests.conftest import password
from tests.records import Ledger
from tests.web.conftest import Browser
from webapp.ml.packaging import package
from webapp.services import registry
from webapp.services.clock import now_us

Open = Callable[[str], Browser]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alice", []),
        ("paula", []),
        ("carol", ["Audit report", "Activity"]),
        ("dave", ["Audit report", "People", "Model access", "Activity"]),
    ],
)
def test_the_menu_holds_what_the_role_may_open(browser: Open, name: str, words: list[str]) -> None:
    menu = browser(name).get("/").text.split('class="menu"')[1].split("</ul>")[0]
    assert [w for w in ("Audit report", "People", "Model access", "Activity") if w in menu] == words


def test_a_wrong_password_is_told_without_saying_which_part(client: FlaskClient) -> None:
    said = []
    for name in ("alice", "nobody"):
        browser = Browser(client)
        answer = browser.post("/login", {"username": name, "password": "wrong wrong wrong"})
        said.append(
            (answer.status_code, "is wrong, or the account" in answer.text, f'value="{name}"' in answer.text)
        )
    assert said == [(401, True, True)] * 2


@pytest.mark.parametrize(("path", "leads"), [("/login?next=/models", True), ("/logout", False)])
def test_a_form_that_was_open_too_long_can_be_opened_again(
    client: FlaskClient, path: str, leads: bool
) -> None:
    answer = client.post(path, data={"username": "alice", "password": "my secret"})
    assert answer.status_code == 400
    assert (f'<a href="{path}">Open the form again</a>' in answer.text) is leads
    assert "my secret" not in answer.text


def test_a_password_is_changed_and_the_browser_stays_in(browser: Open) -> None:
    alice = browser("alice")
    new = "a quite different long phrase"
    form = {"current": password("alice"), "password": new, "again": new}
    assert alice.post("/account", form).status_code == 302
    assert "is changed" in alice.get("/").text


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"current": "wrong"}, "current"),
        ({"password": "short", "again": "short"}, "password"),
        ({"again": "another one altogether"}, "again"),
    ],
)
def test_a_bad_password_change_is_explained_beside_its_field(
    browser: Open, form: dict[str, str], field: str
) -> None:
    new = "a quite different long phrase"
    sent = {"current": password("alice"), "password": new, "again": new, **form}
    answer = browser("alice").post("/account", sent)
    assert answer.status_code == 422
    assert f'id="{field}-wrong"' in answer.text


def handed(page: str) -> str:
    return page.split('<span class="mono">')[1].split("</span>")[0]


def test_an_admin_makes_a_person_who_then_has_to_choose_a_password(app: Flask, browser: Open) -> None:
    made = browser("dave").post("/admin/users", {"username": "erin", "role": "analyst"})
    erin = Browser(app.test_client())
    answer = erin.post("/login", {"username": "erin", "password": handed(made.text)})
    assert answer.status_code == 302
    assert erin.get("/").location == "/account"


def test_a_one_time_password_is_shown_once(browser: Open) -> None:
    dave = browser("dave")
    reset = dave.post("/admin/users/alice/reset", {}, page="/admin/users")
    secret = handed(reset.text)
    assert secret not in dave.get("/admin/users").text
    assert reset.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(("username", "status"), [("alice", 409), ("Not a name!", 422)])
def test_a_person_that_can_not_be_made_is_explained(browser: Open, username: str, status: int) -> None:
    answer = browser("dave").post("/admin/users", {"username": username, "role": "analyst"})
    assert answer.status_code == status
    assert 'id="username-wrong"' in answer.text


def test_disabled_people_are_signed_out_and_can_be_let_back(browser: Open) -> None:
    alice, dave = browser("alice"), browser("dave")
    dave.post("/admin/users/alice/disable", {}, page="/admin/users")
    assert alice.get("/").status_code == 302
    assert "disabled" in dave.get("/admin/users").text
    assert dave.post("/admin/users/alice/enable", {}, page="/admin/users").status_code == 302


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("disable", "alice is disabled: signed out everywhere"),
        ("enable", "alice may sign in again."),
        ("role", "alice has the role auditor now."),
    ],
)
def test_a_change_of_an_account_is_told(browser: Open, act: str, said: str) -> None:
    dave = browser("dave")
    dave.post(f"/admin/users/alice/{act}", {"role": "auditor"}, page="/admin/users")
    assert said in dave.get("/admin/users").text


@pytest.mark.parametrize("act", ["reset", "disable", "promote"])
def test_the_address_of_a_change_leads_to_the_person(browser: Open, act: str) -> None:
    assert browser("dave").get(f"/admin/users/alice/{act}").location == "/admin/users/alice"


@pytest.mark.parametrize("act", ["disable", "role"])
def test_the_last_admin_stays_and_the_page_says_why(browser: Open, act: str) -> None:
    answer = browser("dave").post(f"/admin/users/dave/{act}", {"role": "analyst"}, page="/admin/users")
    assert answer.status_code == 409
    assert "dave is the last admin; make another one first." in answer.text
    assert "<h1>dave</h1>" in answer.text


@pytest.mark.parametrize("act", ["disable", "reset"])
def test_what_cannot_be_undone_is_asked_about_first(browser: Open, act: str) -> None:
    before, _, form = (
        browser("dave").get("/admin/users/alice").text.partition(f'action="/admin/users/alice/{act}"')
    )
    assert before.rfind("<details") > before.rfind("</details")
    assert "sessions and tokens of alice" in form.split("</form>")[0]


def test_a_role_is_changed_and_an_unknown_act_is_not_found(browser: Open) -> None:
    dave = browser("dave")
    dave.post("/admin/users/alice/role", {"role": "auditor"}, page="/admin/users")
    assert dave.post("/admin/users/alice/promote", {}, page="/admin/users").status_code == 404
    assert 'value="auditor" selected' in dave.get("/admin/users/alice").text


def test_an_error_page_says_what_to_do_and_which_request_it_was(browser: Open) -> None:
    answer = browser("alice").get("/models/nothing")
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert answer.headers["X-Request-Id"] in answer.text


@pytest.mark.parametrize("method", ["get", "put"])
def test_an_unknown_address_shows_the_menu_to_those_who_are_signed_in(
    app: Flask, browser: Open, method: str
) -> None:
    path = {"get": "/no/such/page", "put": "/account"}[method]
    for client, shown in ((browser("alice").client, True), (app.test_client(), False)):
        answer = getattr(client, method)(path)
        assert answer.status_code == {"get": 404, "put": 405}[method]
        assert ('class="menu"' in answer.text) is shown


def test_a_token_of_nobody_at_an_unknown_address_is_not_found(client: FlaskClient) -> None:
    assert client.get("/no/such/page", headers={"Authorization": "Bearer nonsense"}).status_code == 404


def test_signing_in_leads_back_to_an_address_in_any_language(app: Flask) -> None:
    nobody = Browser(app.test_client())
    there = nobody.get("/predictions?q=a%C3%A7%C3%A3o").location
    answer = nobody.post(there, {"username": "alice", "password": password("alice")})
    assert answer.location == "/predictions?q=a%C3%A7%C3%A3o"


def test_a_model_page_shows_card_measures_features_and_versions(browser: Open) -> None:
    page = browser("alice").get("/models/iris").text
    for said in ("Not meant for", "on test data", "Confusion", "petal_length", "SHA-256"):
        assert said in page


def test_a_model_page_says_what_could_not_be_checked(app: Flask, browser: Open) -> None:
    frame, target = load_diabetes(return_X_y=True, as_frame=True)
    nameless = package(LinearRegression().fit(frame.to_numpy(), target), frame, target, format="skops")
    registry.publish(app.extensions["desk"].store, nameless, name="nameless", title="Nameless")
    said = "does not know its features by name"
    assert said in browser("alice").get("/models/nameless").text
    assert said not in browser("alice").get("/models/iris").text


@pytest.mark.parametrize(
    "path", ["/", "/models", "/models/iris", "/models/iris/predict", "/predictions", "/account"]
)
def test_no_page_holds_inline_scripts_or_foreign_addresses(browser: Open, ledger: Ledger, path: str) -> None:
    ledger.write(created_us=now_us())
    page = browser("alice").get(path).text
    scripts = [s.split(">")[0] for s in page.split("<script")[1:]]
    assert all("src=" in s or "application/json" in s for s in scripts)
    assert "//cdn" not in page
    assert "onclick" not in page
