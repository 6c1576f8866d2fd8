"""What can go wrong, in the words of the domain; each face decides how to say it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from webapp.wording import said, said_n

#: PostgreSQL takes no NUL, UTF-8 no lone surrogate.
UNUSABLE = re.compile("[\x00\ud800-\udfff]")


class Problem(NamedTuple):
    """One thing wrong with what was sent: where (JSON pointer, RFC 6901, as a URI fragment) and what to do."""

    pointer: str
    detail: str


def pointer_token(name: str) -> str:
    """One reference token of a JSON pointer (RFC 6901), kept encodable for the answer."""
    return printable(name[:200]).replace("~", "~0").replace("/", "~1")


def printable(text: str) -> str:
    """The text without what can not be stored or sent; unchanged where all of it can."""
    return UNUSABLE.sub("\ufffd", text)


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses `name`: the known name that is nearly the same, if there is one."""
    close = get_close_matches(name[:100], list(known), n=1, cutoff=0.75)
    return said("; did you mean “{name}”?", name=close[0]) if close else ""


def no_member(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses a member of an object: which one, and what there may be."""
    allowed = list(known)
    return said(
        "no member “{name}”; it may have {listed}{hint}",
        name=printable(name)[:60],
        listed=", ".join(allowed),
        hint=meant(name, allowed) or ".",
    )


class AppError(Exception):
    """Base of every error a user may see; `detail` is written for that user."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidInput(AppError):
    """Values that break a rule; `problems` lists all of them."""

    def __init__(self, problems: list[Problem], detail: str = "") -> None:
        super().__init__(detail or _first_of(problems))
        self.problems = problems


def _first_of(problems: list[Problem]) -> str:
    text = problems[0].detail
    word = problems[0].pointer.removeprefix("#").removeprefix("/")
    if word and "/" not in word:  # what is wrong in a row names its feature
        text = said("{word}: {problem}", word=word, problem=text)
    if len(problems) == 1:
        return text
    return said_n("{problem} (and {n} more)", "{problem} (and {n} more)", problem=text, n=len(problems) - 1)


class Malformed(AppError):
    """A body that cannot be read at all."""


class TooLarge(AppError):
    """More bytes, rows or levels than the limits allow."""


class UnsupportedMedia(AppError):
    """A body of a kind that is not read here."""


class NotSignedIn(AppError):
    """No credentials, or credentials that no longer hold."""


class CodeNeeded(NotSignedIn):
    """The password is right, and a code of the second factor is missing or does not hold; send one as `otp`."""

    def __init__(self, detail: str, account: int = 0, stamp: int = 0) -> None:
        super().__init__(detail)
        self.account = account
        self.stamp = stamp


class NotAllowed(AppError):
    """A known person without the right."""


class NotFound(AppError):
    """Absent, or not this person's to see; the two must look the same."""


class Conflict(AppError):
    """The present state forbids it."""


class KeyReused(AppError):
    """An idempotency key that was used with another request; a new request needs a new key."""


class Gone(AppError):
    """An address that was deprecated and has been taken away since; `detail` names what to use instead."""


class Outdated(AppError):
    """The caller looked at a state that is gone; look again, then ask again."""


class PreconditionNeeded(AppError):
    """A change that has to name the state it was decided upon."""


class BadArtifact(AppError):
    """A model file that is refused: damaged, of an unknown kind, or holding what is not allowed."""


class ModelFailed(AppError):
    """The model raised, or answered with something that is not a finite number."""


class TooMany(AppError):
    """A quota is used up; try again after `retry_after` seconds. `policy` names the quota, where it has a name."""

    def __init__(self, detail: str, retry_after: int, policy: str = "") -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.policy = policy


class NotReady(AppError):
    """Something we depend on is away; try again after `retry_after` seconds."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Overloaded(NotReady):
    """More is asked at once than can be answered in time."""

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__(
            said("More is asked at once than can be answered in time; try again in a moment."), retry_after
        )
