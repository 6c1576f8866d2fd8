"""What people give as their reason for a decision that goes on the record."""

from __future__ import annotations

from webapp.errors import InvalidInput, Problem, printable
from webapp.wording import said

LONGEST_REASON = 2000


def read(text: str, missing: str = "") -> str:
    """The reason as it is kept; raises InvalidInput (`#/reason`), with `missing` where one is needed and none given."""
    reason = text.strip()
    problem = ""
    if len(reason) > LONGEST_REASON:
        problem = said("must have at most {most} characters", most=LONGEST_REASON)
    elif printable(reason) != reason:
        problem = said("holds a character that can not be stored; remove it")
    elif not reason:
        problem = missing
    if problem:
        raise InvalidInput([Problem("#/reason", problem)])
    return reason
