"""Forms that come back with what was wrong beside each field."""

from __future__ import annotations

from collections.abc import Callable

from webapp.doors import tell
from webapp.errors import AppError


def shown_again(
    error: AppError, form: Callable[[dict[str, str], str], str]
) -> tuple[str, int, dict[str, str]]:
    """`form(problems by field, what else is wrong)`, with the status and headers of `error`."""
    told = tell(error)
    problems = {p.pointer.removeprefix("#/"): p.detail for p in told.problems if p.pointer != "#"}
    return form(problems, "" if problems else told.detail), told.status.code, told.headers
