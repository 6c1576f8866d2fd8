"""What was sent under names that a request does not have."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from webapp.errors import Problem, meant, pointer_token
from webapp.wording import said


def strangers(words: Iterable[str], known: Collection[str], most: int | None = None) -> list[Problem]:
    """One problem for each word that is not known, of the first `most` of those; a near miss is named."""
    return [
        Problem(
            f"#/{pointer_token(word)}",
            said("is not a field of this request; remove it{hint}", hint=meant(word, known)),
        )
        for word in islice((word for word in words if word not in known), most)
    ]
