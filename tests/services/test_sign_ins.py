"""What somebody is signed in with: listed, seen, ended."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from flask import Flask

from tests.conftest import password
from webapp.db import Event, TokenFamily
from webapp.db.base import session
from webapp.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn
from webapp.services import sign_ins, tokens, users
from webapp.services.people import Actor
from webapp.services.tokens import Grant

People = Callable[[str], Actor]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def grant(app: Flask) -> Grant:
    return tokens.sign_in_person("alice", password("alice"), 3600, "192.0.2.7", FIREFOX)


def holds(grant: Grant) -> bool:
    try:
        return bool(tokens.check(grant.actor.family or "", grant.actor.id, grant.actor.stamp))
    except NotSignedIn:
        return False


def test_each_is_listed_with_its_kind_and_where_it_came_from(grant: Grant) -> None:
    tokens.sign_in_program("alice", password("alice"), 3600, "192.0.2.8", agent="curl/8 \0" + "x" * 300)
    tokens.make(grant.actor, " nightly load ", 30, "192.0.2.7")
    tokens.issue("bob", 3600)
    browser, token, program = sign_ins.list_of(grant.actor)
    assert (browser.kind, browser.address, browser.agent, browser.this) == (
        "browser",
        "192.0.2.7",
        FIREFOX,
        True,
    )
    assert (program.kind, program.agent[:6], len(program.agent), program.this) == (
        "program",
        "curl/8",
        200,
        False,
    )
    assert (token.kind, token.name, token.expires_us - token.created_us) == (
        "token",
        "nightly load",
        30 * 86_400_000_000,
    )
    assert browser.last_us is None


def test_a_token_needs_a_name_and_an_end(grant: Grant) -> None:
    for name, days in (("", 30), ("x" * 81, 30), ("a\0b", 30), ("x", 0), ("x", 366), ("x", -1)):
        with pytest.raises(InvalidInput):
            tokens.make(grant.actor, name, days)


def test_nobody_has_more_tokens_than_can_be_looked_over(
    grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_TOKENS", 2)
    for name in ("one", "two"):
        tokens.make(grant.actor, name, 30)
    with pytest.raises(InvalidInput) as refused:
        tokens.make(grant.actor, "three", 30)
    assert refused.value.problems[0].pointer == "#/name"
    assert "end one first" in refused.value.problems[0].detail


def test_of_many_sign_ins_the_present_one_and_tokens_are_listed_first(
    grant: Grant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.make(grant.actor, "nightly", 30)
    for _ in range(3):
        tokens.sign_in_program("alice", password("alice"), 3600)
    monkeypatch.setattr(sign_ins, "MOST_LISTED", 3)
    assert [one.kind for one in sign_ins.list_of(grant.actor)] == ["browser", "token", "program"]


def test_who_lost_access_on_the_way_makes_no_token(grant: Grant) -> None:
    users.disable("alice", None)
    with pytest.raises(NotSignedIn):
        tokens.make(grant.actor, "nightly", 30)


def test_one_is_ended_and_no_other(grant: Grant) -> None:
    other, third = (tokens.open_family(grant.actor, 3600) for _ in range(2))
    sign_ins.end(other.actor.family or "", grant.actor)
    assert (holds(grant), holds(other), holds(third)) == (True, False, True)
    with pytest.raises(NotFound):
        sign_ins.end(other.actor.family or "", grant.actor)


def test_all_others_are_ended(grant: Grant) -> None:
    others = [tokens.open_family(grant.actor, 3600) for _ in range(3)]
    assert sign_ins.end_others(grant.actor) == 3
    assert holds(grant) and not any(holds(o) for o in others)
    assert sign_ins.end_others(grant.actor) == 0
    [event] = session().query(Event).filter_by(kind="sign-ins-ended")
    assert (event.user_id, event.about_id) == (grant.actor.id, grant.actor.id)
    assert orjson.loads(event.facts) == {"account": "alice", "number": 3}


def test_nobody_ends_or_sees_those_of_others_but_admins(grant: Grant, actor: People) -> None:
    family = grant.actor.family or ""
    for name in ("bob", "paula", "carol"):
        with pytest.raises(NotFound):
            sign_ins.end(family, actor(name))
        for act in (sign_ins.list_of, lambda a, n: sign_ins.end(family, a, n)):
            with pytest.raises(NotAllowed):
                act(actor(name), "alice")
        with pytest.raises(NotAllowed):
            sign_ins.end_all("alice", actor(name))
    assert [s.id for s in sign_ins.list_of(actor("dave"), "alice")] == [family]
    sign_ins.end(family, actor("dave"), "alice")
    assert not holds(grant)


def test_an_admin_ends_all_of_somebody(grant: Grant, actor: People) -> None:
    assert sign_ins.end_all("alice", actor("dave")) == 1
    assert not holds(grant) and sign_ins.list_of(actor("dave"), "alice") == []
    with pytest.raises(NotFound):
        sign_ins.end_all("nobody", actor("dave"))


@pytest.mark.parametrize("act", ["reset", "role"])
def test_what_was_cut_off_is_not_listed(grant: Grant, actor: People, act: str) -> None:
    users.reset_password("alice", None) if act == "reset" else users.set_role("alice", "auditor", None)
    assert sign_ins.list_of(actor("dave"), "alice") == []


def test_seen_is_written_once_for_many_and_once_a_minute(app: Flask, grant: Grant) -> None:
    put_off: list[Callable[[], None]] = []
    seen = sign_ins.Seen(lambda _, work: put_off.append(work))
    family = grant.actor.family or ""
    for _ in range(3):
        seen.note(family)
    [work] = put_off
    work()
    first = session().get(TokenFamily, family, populate_existing=True).last_us  # type: ignore[union-attr]
    assert first
    seen.note(family)
    put_off[1]()
    session().rollback()
    assert session().get(TokenFamily, family, populate_existing=True).last_us == first  # type: ignore[union-attr]
