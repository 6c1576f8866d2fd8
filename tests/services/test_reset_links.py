"""Links that set a password: once, for a day, until they are replaced."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from tests.conftest import password
from webapp.db import ResetLink
from webapp.db.base import session
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotSignedIn
from webapp.services import guesses, people, reset_links, tokens, users
from webapp.services.people import Actor

People = Callable[[str], Actor]
WORDS = "correct horse battery staple"


def is_dead(token: str) -> bool:
    try:
        reset_links.account_behind(token)
    except NotFound:
        return True
    return False


def test_a_link_sets_a_password_once_and_ends_the_sign_ins(app: Flask, actor: People) -> None:
    grant = tokens.open_family(actor("alice"), 3600)
    token = reset_links.make("Alice", actor("dave"))
    assert users.authenticate("alice", password("alice"))  # until it is used
    assert reset_links.account_behind(token) == "alice"
    reset_links.use(token, WORDS)
    assert users.authenticate("alice", WORDS).must_change is False
    with pytest.raises(NotSignedIn):
        people.recheck(grant.actor)
    with pytest.raises(NotFound):
        reset_links.use(token, WORDS + " again")


def test_a_bad_password_leaves_the_link_as_it_is(app: Flask) -> None:
    token = reset_links.make("alice", None)
    with pytest.raises(InvalidInput):
        reset_links.use(token, "short")
    assert not is_dead(token)


@pytest.mark.parametrize(
    "end",
    [
        lambda: reset_links.make("alice", None),
        lambda: users.reset_password("alice", None),
        lambda: users.disable("alice", None),
    ],
    ids=["replaced", "reset", "disabled"],
)
def test_a_link_ends_with_the_next_one(app: Flask, end: Callable[[], object]) -> None:
    token = reset_links.make("alice", None)
    end()
    users.enable("alice", None)
    assert is_dead(token)


def test_a_link_ends_with_a_change_of_the_password(app: Flask, actor: People) -> None:
    token = reset_links.make("alice", None)
    users.change_password(actor("alice"), password("alice"), WORDS)
    assert is_dead(token)


def test_a_link_ends_by_itself(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    token = reset_links.make("alice", None)
    later = people.now_us() + reset_links.SECONDS * 1_000_000 + 1
    monkeypatch.setattr(reset_links, "now_us", lambda: later)
    assert is_dead(token)


def test_of_two_who_use_a_link_at_once_one_sets_the_password(app: Flask) -> None:
    token = reset_links.make("alice", None)

    def use(n: int) -> bool:
        with app.app_context():
            try:
                reset_links.use(token, f"{WORDS} {n}")
            except NotFound:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        won = list(pool.map(use, range(2)))
    assert sum(won) == 1
    assert users.authenticate("alice", f"{WORDS} {won.index(True)}")


def test_what_is_no_link_is_not_found(app: Flask) -> None:
    assert all(is_dead(token) for token in ("", "x", "\0", "\ud800", "a" * 100_000))


def test_a_link_is_kept_as_a_hash(app: Flask) -> None:
    token = reset_links.make("alice", None)
    assert token not in session().query(ResetLink).one().hash


def test_only_admins_make_links_and_not_for_disabled_accounts(app: Flask, actor: People) -> None:
    for name in ("bob", "paula", "carol"):
        with pytest.raises(NotAllowed):
            reset_links.make("alice", actor(name))
    users.disable("alice", None)
    with pytest.raises(Conflict):
        reset_links.make("alice", None)
    with pytest.raises(NotFound):
        reset_links.make("nobody", None)


def test_an_invited_person_signs_in_with_the_password_of_the_link(app: Flask, actor: People) -> None:
    made, token = users.invite("erin", "analyst", actor=actor("dave"))
    assert (made.username, made.must_change) == ("erin", True)
    reset_links.use(token, WORDS)
    assert not users.authenticate("erin", WORDS).must_change


def test_a_used_link_forgives_the_wrong_guesses_before(app: Flask) -> None:
    for _ in range(guesses.MOST):
        guesses.spend("alice", "")
    reset_links.use(reset_links.make("alice", None), WORDS)
    assert users.authenticate("alice", WORDS)
