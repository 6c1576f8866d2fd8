"""Sign-ins: how they are opened, renewed and ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask

from tests.conftest import password
from webapp.db import Event, TokenFamily
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, bump
from webapp.errors import NotAllowed, NotFound, NotSignedIn
from webapp.services import people, tokens, users
from webapp.services.people import Actor
from webapp.services.tokens import Grant

HOUR = 3600
People = Callable[[str], Actor]


def check(grant: Grant) -> Actor:
    assert grant.actor.family
    return tokens.check(grant.actor.family, grant.actor.id, grant.actor.stamp)


def renew(grant: Grant) -> Grant:
    assert grant.actor.family
    return tokens.rotate(grant.actor.family, grant.actor.id, grant.actor.stamp, grant.jti)


@pytest.fixture
def grant(app: Flask, actor: People) -> Grant:
    return tokens.open_family(actor("alice"), HOUR)


def test_a_sign_in_holds_with_the_role_of_now(grant: Grant) -> None:
    found = check(grant)
    assert (found.username, found.role, found.family) == ("alice", "analyst", grant.actor.family)
    assert found.access >= 0


@pytest.mark.parametrize(
    "end",
    [
        lambda grant: tokens.revoke(grant.actor),
        lambda grant: users.disable("alice", None),
        lambda grant: users.reset_password("alice", None),
        lambda grant: users.set_role("alice", "auditor", None),
        lambda grant: users.change_password(grant.actor, password("alice"), "a new and longer one"),
    ],
    ids=["sign-out", "disable", "reset", "role", "change"],
)
def test_a_sign_in_dies_with_what_it_rests_on(grant: Grant, end: Callable[[Grant], object]) -> None:
    before = check(grant).access
    end(grant)
    assert people.access_number(session()) > before
    for use in (check, renew):
        with pytest.raises(NotSignedIn):
            use(grant)


def test_an_enabled_account_does_not_get_its_old_sign_ins_back(grant: Grant) -> None:
    users.disable("alice", None)
    users.enable("alice", None)
    with pytest.raises(NotSignedIn):
        check(grant)


def test_signing_out_ends_one_sign_in_and_no_other(grant: Grant, actor: People) -> None:
    other = tokens.open_family(actor("alice"), HOUR)
    tokens.revoke(grant.actor)
    assert check(other).username == "alice"


def test_a_sign_in_is_its_owners_alone(grant: Grant, actor: People) -> None:
    for use in (check, renew):
        with pytest.raises(NotSignedIn):
            use(replace(grant, actor=replace(grant.actor, id=actor("bob").id)))
    assert check(grant)


def test_a_sign_in_ends_by_itself_and_is_cleared_away(
    grant: Grant, actor: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = grant.expires_us
    for module in (people, tokens):
        monkeypatch.setattr(module, "now_us", lambda: later)
    for use in (check, renew):
        with pytest.raises(NotSignedIn):
            use(grant)
    tokens.open_family(actor("alice"), HOUR)
    assert session().query(TokenFamily).filter_by(id=grant.actor.family).count() == 0


def test_a_refresh_token_is_good_once_and_keeps_the_end_of_its_family(grant: Grant) -> None:
    second = renew(grant)
    assert second.jti != grant.jti
    assert second.expires_us == grant.expires_us
    assert check(renew(second))


def test_a_refresh_token_seen_again_ends_the_family(grant: Grant) -> None:
    second = renew(grant)
    with pytest.raises(NotSignedIn):
        renew(grant)
    for use in (check, renew):
        with pytest.raises(NotSignedIn):
            use(second)
    assert session().query(Event).filter_by(kind="token-reused").count() == 1


def test_of_fifty_exchanges_at_once_one_wins(app: Flask, grant: Grant) -> None:
    def exchange(_: int) -> bool:
        with app.app_context():
            try:
                return bool(renew(grant))
            except NotSignedIn:
                return False

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(exchange, range(50))) == 1
    with pytest.raises(NotSignedIn):
        check(grant)


def test_signing_out_takes_its_turn_among_changes_of_accounts(app: Flask, grant: Grant) -> None:
    def leave() -> None:
        with app.app_context():
            tokens.revoke(grant.actor)

    with ThreadPoolExecutor(1) as pool:
        with transaction() as current:
            people.queue(current)
            left = pool.submit(leave)
            time.sleep(0.3)
            bump(
                current, ACCESS
            )  # two who took the same locks in another order would wait for each other here
        left.result()
    with pytest.raises(NotSignedIn):
        check(grant)


def test_a_one_time_password_opens_a_session_and_no_tokens(app: Flask) -> None:
    given = users.reset_password("bob", None)
    with pytest.raises(NotAllowed, match="/account"):
        tokens.sign_in_program("bob", given, HOUR)
    assert tokens.sign_in_person("bob", given, HOUR).actor.must_change


def test_the_operator_issues_tokens_for_accounts_that_may_sign_in(app: Flask) -> None:
    assert check(tokens.issue("Carol", HOUR)).role == "auditor"
    users.disable("carol", None)
    users.reset_password("bob", None)
    for name in ("carol", "bob"):
        with pytest.raises(NotAllowed):
            tokens.issue(name, HOUR)
    with pytest.raises(NotFound):
        tokens.issue("nobody", HOUR)
