"""Passwords: what may be one, and how they are kept.

Kept as argon2id (RFC 9106) with 64 MiB, 3 passes and 4 lanes, about 85 ms each.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from webapp.errors import NotReady, Problem, TooMany
from webapp.extensions import offload
from webapp.wording import said

SHORTEST, LONGEST = 12, 200
PRODUCT = "parecer"
HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
#: The hash of a password that was thrown away: checking it takes as long as checking a real one.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$v7KqCXOUsDcgyMljh5WCcQ$vBYETR0LnMFNTO58LVCO2Uk7RFwQvYvgwZHonmtiRM0"
#: No look-alikes, so that it survives being read aloud or copied from a terminal.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

# What the usual lists of leaked passwords start with, once digits and signs around it are taken off.
COMMON_WORDS = frozenset(
    """
    abcdefgh abcdefghij abcdefghijk abcdefghijkl access admin administrador administrator asdf asdfasdf
    asdfgh asdfghjkl asdfghjklqwertyuiop azerty azertyuiop baseball basketball batman brasil carolina
    changeit changeme changemenow chocolate computer contrasena corinthians default demo dragon estrela
    facebook flamengo football gabriel geronimo guest hello helloworld iloveyou iloveyouforever internet
    jesus jesuscristo letmein letmeinnow liverpool login london lovely manager manchester master michael
    mindopronto minhasenha monkey mustang mypassword newpassword nothing p passw passwd password
    passwordpassword passwort pokemon princesa princess qazwsx qazwsxedc qazwsxedcrfv qwe qweasd qweasdzxc
    qweqwe qwer qwert qwerty qwertyqwerty qwertyui qwertyuiop qwertyuiopasdfghjkl qwertz qwertzuiop root
    saopaulo secret senha senhasecreta senhasenha shadow starwars sunshine superman support system temp
    temporary test testing testtest tigger trustno trustnoone unknown user username vasco welcome welcometo
    whatever wordpass xyz zaq zaqxsw zxcvbn zxcvbnm
    """.split()  # noqa: SIM905 - as a list it would be a page long
)

COUNTING = "0123456789" * (LONGEST // 10 + 1)
REPEATED = re.compile(r"(.{1,6})\1+")
PADDING = "0123456789 !?.,;:-_*#+=/&%"
SPELT = str.maketrans("@$013", "asoie")

WAIT_SECONDS = 10.0
RETRY_SECONDS = 5
#: In a process: who comes later would wait for more than a second, and a flood would only grow.
MOST_WAITING = 20
#: So that a flood from one address leaves room in the line for others.
MOST_FROM_ADDRESS = 4
CROWDED = said("Too many people are signing in at once; try again in a moment.")

# Each hash takes 64 MiB: more of them at once would be a way to take the memory of the machine.
_slots = threading.BoundedSemaphore(2)
_counting = threading.Lock()
_waiting: Counter[str] = Counter()


def problems_of(password: str, username: str) -> list[Problem]:
    """What is wrong with a new password, if anything; it is judged as typed, with no rules of composition."""
    folded = password.casefold()
    own = folded.replace(username.casefold(), "").replace(PRODUCT, "")
    if len(password) > LONGEST:
        return [Problem("#/password", said("may have {most} characters; choose a shorter one", most=LONGEST))]
    if len(password) < SHORTEST:
        detail = said("needs at least {least} characters; a few words together do well", least=SHORTEST)
        return [Problem("#/password", detail)]
    if len(own) < SHORTEST:
        detail = said(
            "needs {least} characters besides the username and the word {product}; add a few words",
            least=SHORTEST,
            product=PRODUCT,
        )
        return [Problem("#/password", detail)]
    if _is_common(folded):
        return [
            Problem("#/password", said("is among the first that are tried; a few words together do well"))
        ]
    return []


def _is_common(folded: str) -> bool:
    word = re.sub(r"[^a-z]", "", folded.strip(PADDING).translate(SPELT))
    counted = folded in COUNTING or folded in COUNTING[::-1]
    return word in COMMON_WORDS or counted or REPEATED.fullmatch(folded) is not None


def hash_password(password: str) -> str:
    """What is kept of a password: its argon2id hash, with a salt of its own."""
    with turn():
        return offload(HASHER.hash, _bytes(password))


def matches(kept: str, password: str) -> bool:
    """Whether `password` is the one that `kept` was made from; to be asked within a `turn`."""
    return offload(_verify, kept, _bytes(password))


@contextmanager
def turn(address: str = "") -> Iterator[None]:
    """Wait for one of the few places at which passwords are hashed.

    Raises NotReady where too many wait or after WAIT_SECONDS, TooMany where too many wait from `address`.
    """
    with _line(address):
        if not _slots.acquire(timeout=WAIT_SECONDS):
            raise NotReady(CROWDED, RETRY_SECONDS)
    try:
        yield
    finally:
        _slots.release()


@contextmanager
def _line(address: str) -> Iterator[None]:
    with _counting:
        if address and _waiting[address] >= MOST_FROM_ADDRESS:
            raise TooMany(said("Too many sign-ins at once from here; try again in a moment."), RETRY_SECONDS)
        if _waiting.total() >= MOST_WAITING:
            raise NotReady(CROWDED, RETRY_SECONDS)
        _waiting[address] += 1
    try:
        yield
    finally:
        with _counting:
            _waiting[address] -= 1
            if not _waiting[address]:
                del _waiting[address]


def one_time() -> str:
    """A password to be handed over and changed: 20 letters and digits in groups, 99 bits."""
    return letters(4, 5)


def letters(groups: int, size: int) -> str:
    """Random letters and digits in groups, 4.95 bits each."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(size)) for _ in range(groups))


def _verify(kept: str, password: bytes) -> bool:
    try:
        return HASHER.verify(kept, password)
    except VerificationError:
        return False


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")  # a terminal can send half a pair
