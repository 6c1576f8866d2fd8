"""Codes beside the password: once each, for a short while, and never in the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from flask import Flask

from tests.conftest import password
from webapp.db import Event, RecoveryCode, SecondFactor
from webapp.db.base import session, transaction
from webapp.errors import AppError, CodeNeeded, Conflict, InvalidInput, NotAllowed, NotSignedIn, TooMany
from webapp.services import guesses, people, second_factor, sign_ins, tokens, users
from webapp.services.people import Actor
from webapp.services.second_factor import STEP_SECONDS

People = Callable[[str], Actor]
KEY = "k" * 40
START = 1_800_000_000.0


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(time, "time", made)
    yield made


class Alice:
    """alice, with a second factor on; `code(steps)` is what her app shows so many steps from now."""

    def __init__(self, actor: Actor, clock: Clock) -> None:
        self.clock = clock
        second_factor.begin(actor, password("alice"), "")
        begun = second_factor.pending(actor, KEY)
        assert begun is not None
        self.app = pyotp.TOTP(begun.secret)
        self.codes = second_factor.confirm(actor, self.code(), KEY)
        self.actor = actor

    def code(self, steps: int = 0) -> str:
        return self.app.at(int(self.clock.now) + steps * STEP_SECONDS)


@pytest.fixture
def alice(app: Flask, actor: People, clock: Clock) -> Alice:
    made = Alice(actor("alice"), clock)
    clock.now += STEP_SECONDS * 10
    return made


def sign_in(code: str | None, key: str = KEY, address: str = "") -> Actor:
    return users.authenticate("alice", password("alice"), address, code=code, key=key)


def refused(code: str | None, key: str = KEY) -> bool:
    try:
        sign_in(code, key)
    except CodeNeeded:
        return True
    return False


def test_the_password_alone_opens_nothing_any_more(alice: Alice) -> None:
    assert refused(None) and refused("") and refused("000000") and refused("no code at all \0\ud800")
    assert sign_in(alice.code()).username == "alice"
    with pytest.raises(NotSignedIn) as told:
        users.authenticate("alice", "wrong", code=alice.code(1), key=KEY)
    assert told.value.detail == users.REFUSED and not isinstance(told.value, CodeNeeded)


def test_a_code_holds_a_step_before_and_after_its_own(alice: Alice) -> None:
    assert [refused(alice.code(steps)) for steps in (-2, 2, -1, 0, 1)] == [True, True, False, False, False]


def test_a_code_is_good_once_and_so_are_those_before_it(alice: Alice) -> None:
    sign_in(alice.code())
    assert refused(alice.code()) and refused(alice.code(-1))
    sign_in(alice.code(1))


def test_of_many_who_show_one_code_at_once_one_gets_in(app: Flask, alice: Alice) -> None:
    def show(code: str) -> bool:
        with app.app_context():
            try:
                return bool(users.authenticate_further(alice.actor.id, 0, code, "", KEY))
            except CodeNeeded:
                return False

    for code in (alice.code(), alice.codes[0]):
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(show, [code] * 4)) == 1


def test_a_recovery_code_is_good_once_however_it_is_typed(alice: Alice) -> None:
    assert len(set(alice.codes)) == 10
    typed = alice.codes[3].replace("-", " ").upper()
    assert sign_in(typed).username == "alice"
    assert refused(alice.codes[3])
    assert second_factor.state(alice.actor.id).codes_left == 9
    kinds = [e.kind for e in session().query(Event).order_by(Event.seq)]
    assert "recovery-code-used" in kinds


def test_neither_secret_nor_codes_are_on_file(alice: Alice) -> None:
    row = session().query(SecondFactor).one()
    assert row.salt not in (alice.app.byte_secret(), alice.app.secret.encode())
    kept = {code.hash for code in session().query(RecoveryCode)}
    assert not kept & {*alice.codes, *(c.replace("-", "") for c in alice.codes)}
    assert refused(alice.code(), key="another key of the server" * 2)


def test_wrong_codes_are_counted_like_wrong_passwords(alice: Alice) -> None:
    for _ in range(guesses.MOST):
        with pytest.raises(CodeNeeded):
            users.authenticate_further(alice.actor.id, 0, "000000", "192.0.2.1", KEY)
    with pytest.raises(TooMany):
        users.authenticate_further(alice.actor.id, 0, alice.code(), "192.0.2.1", KEY)
    with pytest.raises(TooMany):
        sign_in(alice.code(), address="192.0.2.1")
    assert sign_in(alice.code(), address="192.0.2.2")


def test_the_right_password_forgives_no_wrong_codes(alice: Alice) -> None:
    for _ in range(guesses.MOST // 2):
        assert refused("000000") and refused(None)
    with pytest.raises(TooMany):
        sign_in(alice.code())


def test_the_second_step_ends_with_the_account_it_began_with(alice: Alice) -> None:
    users.reset_password("alice", None)
    for user_id in (alice.actor.id, 10**6):
        with pytest.raises(NotSignedIn) as told:
            users.authenticate_further(user_id, 0, alice.code(), "", KEY)
        assert told.value.detail == people.EXPIRED


def test_a_new_password_keeps_the_second_factor(alice: Alice) -> None:
    given = users.reset_password("alice", None)
    with pytest.raises(CodeNeeded):
        users.authenticate("alice", given, key=KEY)
    assert users.authenticate("alice", given, code=alice.code(), key=KEY).must_change
    with pytest.raises(NotAllowed):
        tokens.sign_in_program("alice", given, 60, code=alice.code(1), key=KEY)


def test_it_is_on_only_once_a_code_was_right(app: Flask, actor: People, clock: Clock) -> None:
    one = actor("alice")
    with pytest.raises(InvalidInput):
        second_factor.begin(one, "wrong", "")
    second_factor.begin(one, password("alice"), "")
    with pytest.raises(InvalidInput):
        second_factor.confirm(one, "000000", KEY)
    assert not second_factor.state(one.id).on and sign_in(None)


def test_what_was_begun_is_shown_in_that_sign_in_and_for_a_while(
    app: Flask, actor: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tokens.open_family(actor("alice"), 3600).actor
    there = tokens.open_family(actor("alice"), 3600).actor
    second_factor.begin(here, password("alice"), "")
    assert second_factor.pending(here, KEY) and second_factor.pending(there, KEY) is None
    with pytest.raises(Conflict):
        second_factor.confirm(there, "000000", KEY)
    monkeypatch.setattr(second_factor, "PENDING", 0)
    assert second_factor.pending(here, KEY) is None


def test_begun_in_two_tabs_the_later_one_counts(app: Flask, actor: People, clock: Clock) -> None:
    one = actor("alice")
    second_factor.begin(one, password("alice"), "")
    first = second_factor.pending(one, KEY)
    second_factor.begin(one, password("alice"), "")
    second = second_factor.pending(one, KEY)
    assert first and second and first.secret != second.secret
    with pytest.raises(InvalidInput):
        second_factor.confirm(one, pyotp.TOTP(first.secret).at(int(clock.now)), KEY)
    assert second_factor.confirm(one, pyotp.TOTP(second.secret).at(int(clock.now)), KEY)
    with pytest.raises(Conflict):
        second_factor.begin(one, password("alice"), "")


def test_new_codes_end_the_old_ones_and_need_password_and_code(alice: Alice) -> None:
    for guess, code in (("wrong", alice.code()), (password("alice"), "000000")):
        with pytest.raises(InvalidInput):
            second_factor.renew_codes(alice.actor, guess, code, KEY, "")
    fresh = second_factor.renew_codes(alice.actor, password("alice"), alice.code(), KEY, "")
    assert len(fresh) == 10 and refused(alice.codes[0]) and sign_in(fresh[0])


def test_turning_it_off_needs_password_and_code(alice: Alice) -> None:
    for guess, code in (("wrong", alice.code()), (password("alice"), "000000")):
        with pytest.raises(InvalidInput):
            second_factor.turn_off(alice.actor, guess, code, KEY, "")
    second_factor.turn_off(alice.actor, password("alice"), alice.codes[0], KEY, "")
    assert sign_in(None) and session().query(RecoveryCode).count() == 0
    with pytest.raises(Conflict):
        second_factor.turn_off(alice.actor, password("alice"), alice.code(), KEY, "")


def test_an_admin_resets_it_and_every_sign_in_ends(alice: Alice, actor: People) -> None:
    grant = tokens.open_family(alice.actor, 3600)
    for name in ("bob", "paula", "carol"):
        with pytest.raises(NotAllowed):
            second_factor.reset("alice", actor(name))
    second_factor.reset("alice", actor("dave"))
    with pytest.raises(NotSignedIn):
        people.recheck(grant.actor)
    assert sign_in(None)
    with pytest.raises(Conflict):
        second_factor.reset("alice", None)


def test_every_change_is_on_the_record(alice: Alice) -> None:
    second_factor.renew_codes(alice.actor, password("alice"), alice.code(), KEY, "")
    second_factor.turn_off(alice.actor, password("alice"), alice.code(1), KEY, "")
    found = [(e.kind, e.user_id, e.about_id) for e in session().query(Event).order_by(Event.seq)]
    kinds = ("second-factor-on", "recovery-codes-made", "second-factor-off")
    assert [f for f in found if f[0] in kinds] == [(k, alice.actor.id, alice.actor.id) for k in kinds]


def test_who_lost_access_on_the_way_changes_nothing(alice: Alice) -> None:
    users.set_role("alice", "publisher", None)
    for act in (
        lambda: second_factor.turn_off(alice.actor, password("alice"), alice.code(), KEY, ""),
        lambda: second_factor.renew_codes(alice.actor, password("alice"), alice.code(), KEY, ""),
        lambda: sign_ins.end_others(alice.actor),
    ):
        with pytest.raises(AppError) as told:
            act()
        assert isinstance(told.value, NotSignedIn)
    with transaction() as current:
        assert second_factor.is_on(current, alice.actor.id)
