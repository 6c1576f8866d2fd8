"""Which version answers, who decided it, and that nobody is answered by another."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from webapp.db import Event, Prediction, PromotionRequest, commits
from webapp.db.base import session
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotReady, NotSignedIn, Outdated
from webapp.services import model_access, predictions, registry, releases, sealing, users
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.predictions import Ask
from webapp.services.releases import CANDIDATE
from webapp.services.sealing.keys import Keyring
from webapp.services.verifying import verify

Cast = Callable[[str], Actor]
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(autouse=True)
def second(desk: Desk, packages: dict[str, Any]) -> None:
    """A second version of iris, not live."""
    registry.publish(desk.store, packages["iris"][1], name="iris", title="")


def ask(**wanted: Any) -> Ask:
    return Ask("iris", [ROW], "api", "r" * 24, time.time_ns(), **wanted)


def promote(desk: Desk, who: Actor | None, version: str = "2", **more: Any) -> releases.Released:
    return releases.promote(desk, who, "iris", version, **{"reason": "Better.", "revision": None} | more)


def last(kind: str) -> dict[str, Any]:
    event = session().query(Event).filter_by(kind=kind).order_by(Event.seq.desc()).first()
    assert event is not None and event.facts is not None
    facts: dict[str, Any] = json.loads(event.facts)
    return facts


def test_a_promoted_version_answers_at_once(desk: Desk, actor: Cast) -> None:
    assert predictions.make(desk, actor("alice"), ask())[0].version == "1"
    made = promote(desk, actor("paula"))
    assert (made.version, made.waiting) == ("2", None)
    assert predictions.make(desk, actor("alice"), ask())[0].version == "2"
    facts = last("promote")
    assert (facts["version"], facts["from"], facts["reason"], facts["live"]) == (2, 1, "Better.", True)
    assert facts["tried"] == 112 and facts["largest"] < 1e-5


def test_an_answer_under_way_is_of_the_version_that_is_live_when_it_is_kept(
    app: Flask, desk: Desk, actor: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = desk.commits.submit

    def overtaken(entry: Any) -> None:
        monkeypatch.setattr(desk.commits, "submit", submit)
        with app.app_context():  # as another worker would
            promote(desk, actor("paula"))
        submit(entry)

    caller = actor("alice")
    monkeypatch.setattr(desk.commits, "submit", overtaken)
    [made] = predictions.make(desk, caller, ask())
    assert made.version == "2"
    row = session().query(Prediction).filter_by(id=made.id).one()
    assert row.finished_us >= releases.history("iris", actor=None)[0].at_us


def test_a_version_that_comes_back_meanwhile_answers_anew(
    app: Flask, desk: Desk, actor: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, submit, caller = desk.resolver.find, desk.commits.submit, actor("alice")
    before = find("iris", actor=caller)
    promote(desk, actor("paula"))

    def late(*_: Any, **__: Any) -> Any:  # a worker that has not heard of it yet
        monkeypatch.setattr(desk.resolver, "find", find)
        return before

    def overtaken(entry: Any) -> None:
        monkeypatch.setattr(desk.commits, "submit", submit)
        commits._fill(entry)
        with app.app_context():
            promote(desk, actor("paula"), "1")
        submit(entry)

    monkeypatch.setattr(desk.resolver, "find", late)
    monkeypatch.setattr(desk.commits, "submit", overtaken)
    [made] = predictions.make(desk, caller, ask())
    row = session().query(Prediction).filter_by(id=made.id).one()
    assert made.version == "1" and row.finished_us >= releases.history("iris", actor=None)[0].at_us


def test_a_version_that_was_named_answers_whatever_is_promoted(
    app: Flask, desk: Desk, actor: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, calls = desk.commits.submit, []

    def overtaken(entry: Any) -> None:
        calls.append(entry)
        if len(calls) == 1:
            with app.app_context():
                promote(desk, actor("paula"))
        submit(entry)

    caller = actor("alice")
    monkeypatch.setattr(desk.commits, "submit", overtaken)
    assert predictions.make(desk, caller, ask(version="1"))[0].version == "1"
    assert len(calls) == 1


def test_a_candidate_can_be_asked_by_its_alias_until_it_is_promoted(desk: Desk, actor: Cast) -> None:
    made = releases.set_alias(desk, actor("paula"), "iris", CANDIDATE, "2", revision=None)
    assert predictions.make(desk, actor("alice"), ask(alias=CANDIDATE))[0].version == "2"
    assert releases.standing("iris", actor=actor("alice")).aliases == {"live": "1", CANDIDATE: "2"}
    promote(desk, actor("paula"), revision=made.revision)
    assert releases.standing("iris", actor=None).aliases == {"live": "2"}
    with pytest.raises(NotFound):
        predictions.make(desk, actor("alice"), ask(alias=CANDIDATE))


def test_an_alias_moves_and_goes(desk: Desk, actor: Cast) -> None:
    paula = actor("paula")
    releases.set_alias(desk, paula, "iris", "shadow", "1", revision=None)
    releases.set_alias(desk, paula, "iris", "shadow", "2", revision=None)
    assert (last("alias")["version"], last("alias")["from"]) == (2, 1)
    with pytest.raises(Conflict):
        releases.set_alias(desk, paula, "iris", "shadow", "2", revision=None)
    releases.drop_alias(paula, "iris", "shadow", revision=None)
    assert last("alias") == {"model": "iris", "alias": "shadow", "version": None, "from": 2}
    with pytest.raises(NotFound):
        releases.drop_alias(paula, "iris", "shadow", revision=None)


@pytest.mark.parametrize("alias", ["live", "", "Live", "7", "a/b", "x" * 64, "\0"])
def test_what_is_no_alias_is_refused(desk: Desk, actor: Cast, alias: str) -> None:
    with pytest.raises(InvalidInput) as told:
        releases.set_alias(desk, actor("paula"), "iris", alias, "2", revision=None)
    assert told.value.problems[0].pointer == "#/alias"


def test_rolling_back_takes_the_version_before_or_the_one_named(desk: Desk, actor: Cast) -> None:
    paula = actor("paula")
    with pytest.raises(Conflict, match="No other version"):
        releases.roll_back(desk, paula, "iris", None, reason="", revision=None)
    promote(desk, paula)
    with pytest.raises(Conflict, match="answers already"):
        releases.roll_back(desk, paula, "iris", "2", reason="", revision=None)
    assert releases.roll_back(desk, paula, "iris", None, reason="Worse.", revision=None).version == "1"
    assert last("rollback")["reason"] == "Worse."
    assert releases.roll_back(desk, paula, "iris", None, reason="", revision=None).version == "2"


def test_a_version_that_was_never_live_is_not_rolled_back_to(
    desk: Desk, actor: Cast, packages: dict[str, Any]
) -> None:
    registry.publish(desk.store, packages["iris"][1], name="iris", title="")
    promote(desk, actor("paula"))
    with pytest.raises(Conflict, match="never live"):
        releases.roll_back(desk, actor("paula"), "iris", "3", reason="", revision=None)


def test_the_history_says_what_was_live_when(desk: Desk, actor: Cast) -> None:
    promote(desk, actor("paula"))
    releases.roll_back(desk, None, "iris", None, reason="", revision=None)
    third, second, first = releases.history("iris", actor=actor("alice"))
    assert [(r.version, r.kind, r.by, r.instead_of) for r in (first, second, third)] == [
        ("1", "publish", None, None),
        ("2", "promote", "paula", "1"),
        ("1", "rollback", None, "2"),
    ]
    assert (first.until_us, second.until_us, third.until_us) == (second.at_us, third.at_us, None)
    assert second.reason == "Better."
    live = {line.model: line.version for line in releases.live_at(actor("carol"), second.at_us)}
    assert live["iris"] == "2"


def test_only_who_releases_releases(desk: Desk, actor: Cast) -> None:
    for name in ("alice", "carol"):
        with pytest.raises(NotAllowed):
            promote(desk, actor(name))
        with pytest.raises(NotAllowed):
            releases.roll_back(desk, actor(name), "iris", "1", reason="", revision=None)
        with pytest.raises(NotAllowed):
            releases.set_alias(desk, actor(name), "iris", CANDIDATE, "2", revision=None)
    with pytest.raises(NotAllowed):
        releases.require_two(actor("paula"), "iris", True)
    assert releases.standing("iris", actor=None).aliases == {"live": "1"}


def test_a_closed_model_is_nobody_elses_to_release(desk: Desk, actor: Cast) -> None:
    model_access.change("iris", restricted=True, people=["alice"], actor=actor("dave"))
    with pytest.raises(NotFound):
        promote(desk, actor("paula"))
    with pytest.raises(NotFound):
        releases.standing("iris", actor=actor("paula"))
    with pytest.raises(NotFound):
        releases.history("iris", actor=actor("bob"))


def test_who_lost_access_meanwhile_changes_nothing(desk: Desk, actor: Cast) -> None:
    paula = actor("paula")
    users.set_role("paula", "analyst", actor("dave"))
    with pytest.raises(NotSignedIn):
        promote(desk, paula)


def test_a_decision_on_a_state_that_is_gone_is_refused(desk: Desk, actor: Cast) -> None:
    seen = releases.standing("iris", actor=None).revision
    made = promote(desk, actor("paula"), revision=seen)
    with pytest.raises(Outdated):
        promote(desk, actor("paula"), "1", revision=seen)
    assert releases.roll_back(desk, None, "iris", None, reason="", revision=made.revision).version == "1"


def test_a_promotion_says_why(desk: Desk, actor: Cast) -> None:
    for reason in ("", "  ", "x" * 2001, "\0"):
        with pytest.raises(InvalidInput) as told:
            promote(desk, actor("paula"), reason=reason)
        assert told.value.problems[0].pointer == "#/reason"


def test_a_version_that_is_not_as_it_was_published_is_not_released(desk: Desk, actor: Cast) -> None:
    path = desk.store.root / "iris" / "2" / "compiled.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(NotReady, match="damaged"):
        promote(desk, actor("paula"))
    assert predictions.make(desk, actor("alice"), ask())[0].version == "1"


def test_a_version_that_answers_otherwise_than_at_its_publication_is_not_released(
    desk: Desk, actor: Cast, packages: dict[str, Any]
) -> None:
    package = packages["iris"][1]
    answers = json.loads(package.files["answers.json"])
    answers["probabilities"][7] = [1.0, 0.0, 0.0] if answers["probabilities"][7][0] < 0.5 else [0.0, 1.0, 0.0]
    files = package.files | {"answers.json": json.dumps(answers).encode()}
    registry.publish(desk.store, package._replace(files=files), name="iris", title="")
    with pytest.raises(Conflict, match="it answers 1 of 112 reference rows otherwise"):
        promote(desk, actor("paula"), "3")


def test_one_asks_and_another_approves(desk: Desk, actor: Cast) -> None:
    paula, dave = actor("paula"), actor("dave")
    releases.require_two(dave, "iris", True)
    asked = promote(desk, paula)
    assert asked.waiting is not None
    assert predictions.make(desk, actor("alice"), ask())[0].version == "1"
    with pytest.raises(NotAllowed, match="Somebody else"):
        releases.approve(desk, paula, "iris", asked.waiting, revision=None)
    waiting = releases.standing("iris", actor=dave).request
    assert waiting is not None and (waiting.version, waiting.by, waiting.reason) == ("2", "paula", "Better.")
    with pytest.raises(Conflict, match="waits"):
        promote(desk, dave)
    made = releases.approve(
        desk, dave, "iris", asked.waiting, reason="Looked at it.", revision=asked.revision
    )
    assert (made.version, predictions.make(desk, actor("alice"), ask())[0].version) == ("2", "2")
    newest = releases.history("iris", actor=None)[0]
    assert (newest.by, newest.asked_by, newest.reason) == ("dave", "paula", "Better.")
    assert last("promote")["remark"] == "Looked at it."
    with pytest.raises(NotFound):
        releases.approve(desk, dave, "iris", asked.waiting, revision=None)
    assert session().get_one(PromotionRequest, asked.waiting).state == "approved"


def test_what_is_asked_can_be_refused_or_withdrawn(desk: Desk, actor: Cast) -> None:
    paula, dave = actor("paula"), actor("dave")
    releases.require_two(dave, "iris", True)
    first = promote(desk, paula).waiting or ""
    with pytest.raises(InvalidInput):
        releases.refuse(dave, "iris", first, reason="", revision=None)
    with pytest.raises(NotAllowed):
        releases.refuse(paula, "iris", first, reason="No.", revision=None)
    with pytest.raises(NotAllowed):
        releases.withdraw(dave, "iris", first, revision=None)
    releases.refuse(dave, "iris", first, reason="No.", revision=None)
    assert (last("promotion-refused")["asked_by"], last("promotion-refused")["reason"]) == ("paula", "No.")
    second = promote(desk, paula).waiting or ""
    releases.withdraw(paula, "iris", second, revision=None)
    with pytest.raises(Conflict):
        releases.refuse(dave, "iris", second, reason="No.", revision=None)
    assert releases.standing("iris", actor=None).live == "1"


def test_a_roll_back_waits_for_nobody_and_ends_what_waits(desk: Desk, actor: Cast) -> None:
    paula, dave = actor("paula"), actor("dave")
    promote(desk, paula)
    releases.require_two(dave, "iris", True)
    asked = promote(desk, paula, "1").waiting or ""
    assert releases.roll_back(desk, paula, "iris", "1", reason="Alarm.", revision=None).version == "1"
    with pytest.raises(NotFound):
        releases.approve(desk, dave, "iris", asked, revision=None)
    assert session().get_one(PromotionRequest, asked).state == "outdated"


def test_two_people_are_not_passed_by_while_publishing(
    desk: Desk, actor: Cast, packages: dict[str, Any]
) -> None:
    releases.require_two(actor("dave"), "iris", True)
    with pytest.raises(InvalidInput) as told:
        registry.publish(
            desk.store, packages["iris"][1], name="iris", title="", actor=actor("paula"), promote=True
        )
    assert told.value.problems[0].pointer == "#/promote"
    assert desk.store.versions("iris") == [1, 2]


def test_verification_takes_a_release_for_what_it_is(desk: Desk, keys: Keyring, actor: Cast) -> None:
    promote(desk, actor("paula"))
    releases.roll_back(desk, None, "iris", None, reason="", revision=None)
    sealing.seal(keys)
    assert verify(keys).altered == []
