"""What can go wrong, each with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """One thing wrong with what was sent; `pointer` (RFC 6901) says where, `#` being all of it."""

    pointer: str
    detail: str

    @property
    def field(self) -> str:
        """The name at the end of the pointer: a feature, or a field of the request."""
        return self.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")

    def __str__(self) -> str:
        return (
            self.detail if self.pointer in ("#", "") else f"{self.pointer.removeprefix('#/')}: {self.detail}"
        )


class ParecerError(Exception):
    """The desk did not do what was asked.

    `status` is that of HTTP, None where no answer came. `problems` names all that is wrong with what was sent;
    `request_id` is what the operator finds in the log; `retry_after` is in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        problems: Sequence[Problem] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.problems = message, status, list(problems)
        self.request_id, self.retry_after = request_id, retry_after

    def __str__(self) -> str:
        lines = [self.message, *(f"- {problem}" for problem in self.problems)]
        if self.request_id:
            lines.append(f"(request {self.request_id})")
        return "\n".join(lines)


class NotReachable(ParecerError):
    """No answer came."""


class NotSignedIn(ParecerError):
    """The token, or the password, does not hold."""


class CodeNeeded(NotSignedIn):
    """The password is right; the account has a second factor, and its code is missing or does not hold."""


class NotAllowed(ParecerError):
    """The account's role does not include this."""


class NotFound(ParecerError):
    """There is no such thing, or it is not this account's to see."""


class Conflict(ParecerError):
    """The present state forbids it."""


class TooLarge(ParecerError):
    """More bytes or rows than the desk takes at once."""


class InvalidInput(ParecerError):
    """Some values cannot be used; `problems` names them all."""


class TooMany(ParecerError):
    """A limit is used up for longer than this client waits; `retry_after` says for how long."""


class NotReady(ParecerError):
    """The desk cannot answer now, after several tries."""


class PublicationRefused(ParecerError):
    """The desk took no version from what was sent; `problems` are all its reasons, `report` what it found."""

    def __init__(self, message: str, *, problems: Sequence[Problem], report: dict[str, Any] | None) -> None:
        super().__init__(message, problems=problems)
        self.report = report


_BY_STATUS: dict[int, type[ParecerError]] = {
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidInput,
    429: TooMany,
    502: NotReady,
    503: NotReady,
    504: NotReady,
}


def told(status: int, body: Any, retry_after: float | None) -> ParecerError:
    """The error for an answer of RFC 9457, or for one of something else on the way that has another form."""
    known = body if isinstance(body, dict) else {}
    problems = [Problem(str(e["pointer"]), str(e["detail"])) for e in known.get("errors", ())]
    message = str(known.get("detail") or f"The server answered {status} and said no more.")
    if status == 422 and problems:
        message = f"{known.get('title')}:"
    elif len(problems) == 1 and problems[0].detail == message:
        problems = []
    if status == 429 and retry_after is not None:
        message += f" Try again in {retry_after:.0f} s."
    instance, kind = str(known.get("instance", "")), _BY_STATUS.get(status, ParecerError)
    if str(known.get("type", "")).endswith("#code-needed"):
        kind, message = CodeNeeded, f"{message} Give it as otp=…"
    return kind(
        message,
        status=status,
        problems=problems,
        request_id=instance.rpartition(":")[2] or None,
        retry_after=retry_after,
    )
