"""The events on the record, found and paged."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text

from tests.conftest import password
from webapp.db import Event
from webapp.db.base import session, transaction
from webapp.errors import InvalidInput, Malformed, NotAllowed, NotSignedIn
from webapp.services import activity, audit, users
from webapp.services.activity import Line, Wanted
from webapp.services.people import Actor

People = Callable[[str], Actor]


@pytest.fixture
def dave(app: Flask, actor: People) -> Actor:
    return actor("dave")


def found(actor: Actor, **wanted: str) -> list[Line]:
    words = {word.rstrip("_"): value for word, value in wanted.items()}
    return activity.search(actor, Wanted.read(words), limit=50).lines


def test_events_are_found_by_kind_and_by_person_either_way(dave: Actor) -> None:
    users.set_role("bob", "auditor", dave)
    users.authenticate("alice", password("alice"))
    with pytest.raises(NotSignedIn):
        users.authenticate("alice", "wrong")
    assert [line.kind for line in found(dave, person="Alice")] == ["sign-in-refused", "sign-in"]
    [line] = found(dave, kind="role-changed")
    assert (line.by, line.about, line.facts) == (
        "dave",
        "bob",
        {"account": "bob", "before": "analyst", "role": "auditor"},
    )
    assert found(dave, person="dave", kind="role-changed") == [line] == found(dave, person="bob")
    assert found(dave, person="nobody") == [] == found(dave, kind="no-such-thing")


def test_pages_follow_each_other_without_gap_or_repeat(dave: Actor) -> None:
    with transaction() as current:
        for n in range(25):
            audit.append(current, "sign-in", dave.id, {"n": n}, about=dave.id)
        current.execute(text("UPDATE events SET at_us = seq / 7"))  # some at the same time
    for words in ({}, {"person": "dave"}):
        seen, cursor = [], ""
        while True:
            page = activity.search(dave, Wanted.read(words), limit=10, cursor=cursor)
            seen += [line.id for line in page.lines]
            cursor = page.next_cursor
            if not cursor:
                break
        events = [e.id for e in session().query(Event).order_by(Event.at_us.desc(), Event.seq.desc())]
        assert seen == (events if not words else events[:25])


def test_times_bound_what_is_found(dave: Actor) -> None:
    users.authenticate("alice", password("alice"))
    session().execute(text("UPDATE events SET at_us = 31536000000000 WHERE kind = 'sign-in'"))
    session().commit()
    assert [line.kind for line in found(dave, from_="1970-12-31", to="1971-01-01")] == ["sign-in"]
    assert found(dave, to="1970-12-31") == []


def test_a_filter_that_means_nothing_is_pointed_at() -> None:
    for words in ({"kind": "a b"}, {"from": "soon"}, {"from": "2026-02-02", "to": "2026-01-01"}):
        with pytest.raises(InvalidInput):
            Wanted.read(words)


def test_a_cursor_of_somebody_else_is_refused(dave: Actor) -> None:
    for cursor in ("x", "1", "1-", "-1-1", "1" * 30 + "-1"):
        with pytest.raises(Malformed):
            activity.search(dave, Wanted(), limit=1, cursor=cursor)


def test_only_who_sees_all_sees_it(app: Flask, actor: People) -> None:
    for name in ("alice", "paula"):
        with pytest.raises(NotAllowed):
            activity.search(actor(name), Wanted(), limit=1)
    assert activity.search(actor("carol"), Wanted(), limit=1).lines


def test_every_kind_on_the_record_is_named_once(dave: Actor) -> None:
    for _ in range(2):
        users.authenticate("alice", password("alice"))
    assert activity.kinds() == ["publish", "sign-in"]


def test_an_erased_event_still_has_its_line(dave: Actor) -> None:
    users.authenticate("alice", password("alice"))
    session().execute(text("UPDATE events SET facts = NULL, salt = NULL"))
    session().commit()
    assert found(dave, kind="sign-in")[0].facts is None
