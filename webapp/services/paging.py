"""Lists in pages: each begins beyond a place in the order, so that what comes or goes meanwhile shifts nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import ColumnElement

from webapp.errors import Malformed
from webapp.services.people import Actor
from webapp.wording import said

T = TypeVar("T")
#: What a list is in order by; of the newest row the largest.
Place = tuple[int, ...]


class Turn(NamedTuple):
    """Where a page begins: beyond `place`, towards what is older or what is newer."""

    place: Place
    newer: bool = False

    def beyond(self, column: Any) -> ColumnElement[bool]:
        """The condition of a row of this page; `column` is what the list is in order by."""
        place = self.place if len(self.place) > 1 else self.place[0]
        beyond: ColumnElement[bool] = column > place if self.newer else column < place
        return beyond


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, newest first, and the cursors of what is older and what is newer; None where there is nothing."""

    rows: list[T]
    older: str | None
    newer: str | None


class Cursors:
    """Gives out the cursors of one list and takes them back: signed with `key`, for this caller and search alone."""

    def __init__(self, key: str, actor: Actor, listed: str, search: object = None) -> None:
        meant = repr((listed, actor.id, search)).encode()
        self._signed = URLSafeSerializer(
            key,
            salt=b"cursor" + hashlib.sha256(meant).digest(),
            signer_kwargs={"digest_method": hashlib.sha256},
        )

    def open(self, cursor: str | None) -> Turn | None:
        """Where the page of a cursor begins; None without one. Raises Malformed for one of another list, or forged."""
        if not cursor:
            return None
        try:
            place, newer = self._signed.loads(cursor)
        except BadData:
            raise Malformed(
                said("This cursor does not belong to this search; start again without it.")
            ) from None
        return Turn(tuple(place), newer)

    def page(self, found: Sequence[T], limit: int, turn: Turn | None, place: Callable[[T], Place]) -> Page[T]:
        """A page of `limit` rows of `found`, which has up to one more, those nearest to the turn first."""
        more, rows = len(found) > limit, list(found[:limit])
        if not rows:
            return Page(rows, None, None)
        back = turn is not None and turn.newer
        if back:
            rows.reverse()
        older = self._give(place(rows[-1])) if more or back else None
        newer = self._give(place(rows[0]), newer=True) if turn and (more or not back) else None
        return Page(rows, older, newer)

    def _give(self, place: Place, *, newer: bool = False) -> str:
        cursor = self._signed.dumps([place, newer])
        return cursor if isinstance(cursor, str) else cursor.decode()
