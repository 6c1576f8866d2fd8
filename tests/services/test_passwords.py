"""What may be a password, and how it is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import argon2
import pytest

from tests.server import eventually
from webapp.errors import NotReady, TooMany
from webapp.services import passwords


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery ana 9!",
        "x7#kQ!mz2@Lp",
        "twelve chars",
        "çãõéíó àâêôú",
        "nul \0 and tab \t",
        "837465920174",
    ],
)
def test_a_long_password_of_any_composition_will_do(password: str) -> None:
    assert passwords.problems_of(password, "ana") == []


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "at least 12"),
        ("eleven char", "at least 12"),
        ("x" * 201, "200 characters"),
        ("alice.jones-1", "besides the username"),
        ("Alice.Jones alice.jones", "besides the username"),
        ("Parecer-2026!", "besides the username"),
        ("parecerparecer", "besides the username"),
        ("Password12345", "first that are tried"),
        ("P@ssw0rd2026!", "first that are tried"),
        ("qwertyuiop[]123", "first that are tried"),
        ("12345678901234", "first that are tried"),
        ("987654321098", "first that are tried"),
        ("aaaaaaaaaaaa", "first that are tried"),
        ("123abc123abc", "first that are tried"),
    ],
)
def test_an_easy_password_is_refused_and_says_why(password: str, why: str) -> None:
    (problem,) = passwords.problems_of(password, "alice.jones")
    assert problem.pointer == "#/password"
    assert why in problem.detail


def test_every_character_counts_up_to_the_last_of_the_longest() -> None:
    longest = "correct horse " * 14 + "end!"
    kept = passwords.hash_password(longest)
    assert len(longest) == passwords.LONGEST
    assert passwords.matches(kept, longest)
    assert not passwords.matches(kept, longest[:-1] + "?")


def test_a_nul_or_half_a_character_is_part_of_the_password() -> None:
    kept = passwords.hash_password("twelve\0chars\ud800")
    assert passwords.matches(kept, "twelve\0chars\ud800")
    assert not passwords.matches(kept, "twelve")


def test_nobodys_hash_costs_as_much_as_a_real_one() -> None:
    real = argon2.extract_parameters(passwords.hash_password("correct horse battery"))
    assert argon2.extract_parameters(passwords.NOBODY) == real
    assert (real.type, real.memory_cost, real.time_cost) == (argon2.Type.ID, 65536, 3)


def test_one_time_passwords_differ_and_pass_the_rules() -> None:
    made = {passwords.one_time() for _ in range(100)}
    assert len(made) == 100
    assert not any(passwords.problems_of(password, "admin") for password in made)


@contextmanager
def waiting(addresses: list[str]) -> Iterator[None]:
    """Both places are taken, and a thread waits from each of `addresses`."""
    release = threading.Event()

    def wait(address: str) -> None:
        with passwords.turn(address):
            release.wait()

    threads = [threading.Thread(target=wait, args=(address,)) for address in addresses]
    try:
        with passwords.turn(), passwords.turn():
            for thread in threads:
                thread.start()
            eventually(lambda: passwords._waiting.total() == len(addresses), 5)
            yield
    finally:
        release.set()
        for thread in threads:
            thread.join()


def test_only_two_hashes_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    with waiting([]), pytest.raises(NotReady):
        passwords.hash_password("correct horse battery")


def test_one_address_cannot_fill_the_line() -> None:
    four = ["192.0.2.1"] * passwords.MOST_FROM_ADDRESS
    with waiting(four), pytest.raises(TooMany) as refused, passwords.turn("192.0.2.1"):
        pass
    assert refused.value.retry_after == passwords.RETRY_SECONDS


def test_who_would_wait_too_long_is_told_at_once() -> None:
    with waiting([f"192.0.2.{n // 4}" for n in range(passwords.MOST_WAITING)]):
        begun = time.monotonic()
        with pytest.raises(NotReady) as refused, passwords.turn("198.51.100.7"):
            pass
        assert time.monotonic() - begun < passwords.WAIT_SECONDS / 2
    assert refused.value.retry_after == passwords.RETRY_SECONDS
    assert passwords._waiting.total() == 0
