"""How often a password may be tried."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from webapp.db import LoginFailure
from webapp.db.base import session, transaction
from webapp.errors import TooMany
from webapp.services import guesses


class Clock:
    now = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(guesses, "now_us", made)
    return made


HERE, THERE = "192.0.2.1", "198.51.100.7"
ROWS = 2  # a guess


def spend_all(name: str = "mallory", address: str = HERE) -> None:
    for _ in range(guesses.MOST):
        guesses.spend(name, address)


def test_a_name_rests_until_its_oldest_guess_is_forgotten(app: Flask, clock: Clock) -> None:
    guesses.spend("mallory", HERE)
    clock.now += 60 * guesses.SECOND
    for _ in range(guesses.MOST - 1):
        guesses.spend("mallory", HERE)
    with pytest.raises(TooMany) as refused:
        guesses.spend("mallory", HERE)
    assert refused.value.retry_after == 14 * 60
    clock.now += 14 * 60 * guesses.SECOND
    guesses.spend("mallory", HERE)


def test_guesses_are_counted_for_each_name_alone(app: Flask, clock: Clock) -> None:
    spend_all()
    guesses.spend("alice", HERE)
    with pytest.raises(TooMany):
        guesses.spend("MALLORY", HERE)


def test_a_stranger_does_not_close_a_name_for_its_owner(app: Flask, clock: Clock) -> None:
    spend_all("alice", THERE)
    with pytest.raises(TooMany):
        guesses.spend("alice", THERE)
    guesses.spend("alice", HERE)


def test_one_address_may_not_try_a_list_of_names(app: Flask, clock: Clock) -> None:
    for n in range(guesses.MOST_FROM_ADDRESS):
        guesses.spend(f"name{n}", HERE)
    with pytest.raises(TooMany):
        guesses.spend("alice", HERE)
    guesses.spend("alice", THERE)


def test_many_addresses_may_not_try_one_name_for_ever(app: Flask, clock: Clock) -> None:
    for n in range(guesses.MOST_AT_NAME):
        guesses.spend("alice", f"192.0.2.{n}")
    for refuse in (guesses.spend, guesses.refuse_spent):
        with pytest.raises(TooMany) as refused:
            refuse("alice", THERE)
        assert refused.value.detail == "Too many wrong passwords; try again in 15 min."
    guesses.spend("bob", THERE)


def test_a_name_spelt_like_an_address_does_not_close_it(app: Flask, clock: Clock) -> None:
    for n in range(guesses.MOST_FROM_ADDRESS):
        guesses.spend(HERE, f"203.0.113.{n}")
    guesses.spend("alice", HERE)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_line_counts_as_one_address(address: str, counted: str) -> None:
    assert guesses.origin(address) == counted


def test_a_refused_guess_does_not_make_the_rest_longer(app: Flask, clock: Clock) -> None:
    spend_all()
    clock.now += guesses.WINDOW - 1
    for _ in range(3):
        with pytest.raises(TooMany):
            guesses.spend("mallory", HERE)
    clock.now += 1
    guesses.spend("mallory", HERE)


def test_old_guesses_at_any_name_are_deleted_on_the_way(app: Flask, clock: Clock) -> None:
    spend_all()
    clock.now += guesses.WINDOW
    guesses.spend("alice", HERE)
    assert session().query(LoginFailure).count() == ROWS


def test_a_clock_set_back_locks_nobody_out(app: Flask, clock: Clock) -> None:
    spend_all()
    clock.now -= 3600 * guesses.SECOND
    guesses.spend("mallory", HERE)
    assert session().query(LoginFailure).count() == ROWS


def test_forgiving_one_name_leaves_the_others(app: Flask, clock: Clock) -> None:
    spend_all("mallory")
    spend_all("alice")
    with transaction() as current:
        guesses.forgive(current, "Alice")
    guesses.spend("alice", HERE)
    with pytest.raises(TooMany):
        guesses.spend("mallory", HERE)


def test_guesses_side_by_side_cannot_outrun_the_count(app: Flask) -> None:
    def guess(_: int) -> bool:
        with app.app_context():
            try:
                guesses.spend("mallory", HERE)
            except TooMany:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(guess, range(40))) == guesses.MOST
