"""Accounts: making, changing and recognising them."""

from __future__ import annotations

from collections.abc import Callable

import argon2
import orjson
import pytest
from flask import Flask

from tests.conftest import password
from webapp.db import Change, Event, LoginFailure, User
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotSignedIn, TooMany
from webapp.services import guesses, passwords, users
from webapp.services.people import Actor

WORDS = "correct horse battery staple"
People = Callable[[str], Actor]


def access_number() -> int:
    return session().query(Change).filter_by(topic="access").one().number


def last_event() -> tuple[str, int | None, dict[str, object]]:
    event = session().query(Event).order_by(Event.seq.desc()).first()
    assert event and event.facts
    return event.kind, event.user_id, orjson.loads(event.facts)


def test_a_new_account_can_sign_in_by_any_spelling_of_its_name(app: Flask) -> None:
    made = users.create("Erin", "analyst", WORDS, actor=None)
    assert (made.username, made.role, made.must_change, made.disabled) == ("erin", "analyst", False, False)
    assert users.authenticate("ERIN", WORDS).id == made.id


def test_all_that_is_wrong_with_a_new_account_is_told_at_once(app: Flask) -> None:
    with pytest.raises(InvalidInput) as refused:
        users.create("no spaces", "king", "short", actor=None)
    assert [p.pointer for p in refused.value.problems] == ["#/username", "#/role", "#/password"]


@pytest.mark.parametrize("name", ["a", "-a", ".a", "a" * 64, "a\n", "é1", "a/b", "a b", ""])
def test_a_username_is_short_plain_and_starts_with_a_letter_or_digit(app: Flask, name: str) -> None:
    with pytest.raises(InvalidInput):
        users.create(name, "analyst", WORDS, actor=None)


def test_a_username_is_given_once(app: Flask) -> None:
    with pytest.raises(Conflict):
        users.create("Alice", "auditor", WORDS, actor=None)


def test_only_admins_manage_accounts(app: Flask, actor: People) -> None:
    for name in ("alice", "paula", "carol"):
        for act in (
            users.list_all,
            lambda a: users.disable("bob", a),
            lambda a: users.reset_password("bob", a),
        ):
            with pytest.raises(NotAllowed):
                act(actor(name))
    assert [p.username for p in users.list_all(actor("dave"))] == ["alice", "bob", "carol", "dave", "paula"]


def test_an_admin_who_has_lost_access_on_the_way_changes_nobody(app: Flask, actor: People) -> None:
    dave = actor("dave")
    users.set_role("paula", "admin", None)
    users.disable("dave", None)
    before = access_number(), last_event()
    for act in (
        lambda: users.create("erin", "analyst", WORDS, actor=dave),
        lambda: users.disable("bob", dave),
        lambda: users.enable("dave", dave),
        lambda: users.set_role("bob", "admin", dave),
        lambda: users.reset_password("bob", dave),
        lambda: users.change_password(dave, password("dave"), WORDS),
    ):
        with pytest.raises(NotSignedIn):
            act()
    assert (access_number(), last_event()) == before


def test_nobody_is_changed_who_is_not_there(app: Flask, actor: People) -> None:
    for act in (users.disable, users.enable, users.reset_password):
        with pytest.raises(NotFound):
            act("nobody", actor("dave"))


@pytest.mark.parametrize("name", ["alice", "nobody", "bob", "a\0b", "", "x" * 100_000])
def test_a_refused_sign_in_never_says_why(app: Flask, name: str) -> None:
    users.disable("bob", None)
    guess = password("bob") if name == "bob" else "wrong"
    with pytest.raises(NotSignedIn) as refused:
        users.authenticate(name, guess)
    assert refused.value.detail == users.REFUSED


@pytest.mark.parametrize("case", ["alice wrong", "nobody wrong", "bob right", "bob wrong", "a\0b wrong"])
def test_every_refusal_costs_one_hash_of_the_same_kind(
    app: Flask, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    users.disable("bob", None)
    costs: list[argon2.Parameters] = []
    verify = passwords._verify

    def counted(kept: str, guess: bytes) -> bool:
        costs.append(argon2.extract_parameters(kept))
        return verify(kept, guess)

    monkeypatch.setattr(passwords, "_verify", counted)
    name, guess = case.split(" ")
    with pytest.raises(NotSignedIn):
        users.authenticate(name, password(name) if guess == "right" else guess)
    assert costs == [argon2.extract_parameters(passwords.hash_password("correct horse battery"))]


def test_a_sign_in_and_a_refusal_leave_an_event(app: Flask, actor: People) -> None:
    users.authenticate("alice", password("alice"))
    assert last_event() == ("sign-in", actor("alice").id, {"account": "alice"})
    with pytest.raises(NotSignedIn):
        users.authenticate("alice", "wrong")
    assert last_event() == ("sign-in-refused", None, {"account": "alice"})


def test_what_was_typed_as_a_name_is_not_kept(app: Flask) -> None:
    with pytest.raises(NotSignedIn):
        users.authenticate("my-secret-password", "x")
    assert last_event() == ("sign-in-refused", None, {"account": None})
    assert not any("my-secret" in kept.account for kept in session().query(LoginFailure))


def test_every_change_that_takes_access_away_is_counted_and_on_the_record(app: Flask, actor: People) -> None:
    dave = actor("dave")
    for act, kind in (
        (lambda: users.set_role("bob", "auditor", dave), "role-changed"),
        (lambda: users.reset_password("bob", dave), "password-reset"),
        (lambda: users.disable("bob", dave), "user-disabled"),
    ):
        before, stamp = access_number(), actor("bob").stamp
        act()
        assert access_number() == before + 1
        assert actor("bob").stamp == stamp + 1
        assert last_event()[:2] == (kind, dave.id)


def test_a_disabled_account_can_be_enabled_again(app: Flask, actor: People) -> None:
    users.disable("bob", actor("dave"))
    users.enable("bob", actor("dave"))
    assert users.authenticate("bob", password("bob")).username == "bob"


def test_the_last_admin_stays(app: Flask, actor: People) -> None:
    for act in (lambda: users.disable("dave", None), lambda: users.set_role("dave", "analyst", None)):
        with pytest.raises(Conflict):
            act()
    users.set_role("paula", "admin", actor("dave"))
    users.disable("dave", actor("paula"))


def test_a_reset_password_must_be_changed_and_then_need_not(app: Flask) -> None:
    given = users.reset_password("alice", None)
    alice = users.authenticate("alice", given)
    assert alice.must_change
    assert not users.change_password(alice, given, WORDS).must_change
    assert not users.authenticate("alice", WORDS).must_change


def test_a_password_change_needs_the_present_one_and_a_good_other(app: Flask, actor: People) -> None:
    alice, present = actor("alice"), password("alice")
    for current, new, pointer in (
        ("wrong", WORDS, "#/current"),
        (present, present, "#/password"),
        (present, "short", "#/password"),
    ):
        with pytest.raises(InvalidInput) as refused:
            users.change_password(alice, current, new)
        assert [p.pointer for p in refused.value.problems] == [pointer]


def test_the_first_admin_is_made_once(app: Flask) -> None:
    assert users.first_admin() is None
    with transaction() as current:
        for table in ("login_failures", "token_families", "events"):
            current.connection().exec_driver_sql(f"DELETE FROM {table}")
        current.connection().exec_driver_sql("UPDATE model_versions SET created_by = NULL")
        current.query(User).delete()
    given = users.first_admin()
    assert given and users.authenticate("admin", given).must_change
    assert users.first_admin() is None


def test_signing_in_forgives_the_wrong_guesses_before(app: Flask) -> None:
    for _ in range(guesses.MOST - 1):
        guesses.spend("alice", "")
    users.authenticate("alice", password("alice"))
    assert session().query(LoginFailure).count() == 0


def test_the_eleventh_guess_is_not_even_checked(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr(passwords, "matches", lambda kept, guess: bool(checked.append(guess)))
    for _ in range(guesses.MOST):
        with pytest.raises(NotSignedIn):
            users.authenticate("alice", "wrong")
    with pytest.raises(TooMany) as refused:
        users.authenticate("Alice", password("alice"))
    assert len(checked) == guesses.MOST
    assert 890 < refused.value.retry_after <= 900
