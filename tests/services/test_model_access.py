"""Models that only some people may use."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import pytest
from flask import Flask

from webapp.db import Event
from webapp.db.base import session
from webapp.errors import AppError, NotAllowed, NotFound
from webapp.services import history, model_access, predictions, registry
from webapp.services.people import Actor
from webapp.services.predictions import Ask

People = Callable[[str], Actor]
IRIS = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def restrict(*people: str, actor: Actor | None = None) -> None:
    model_access.change("iris", restricted=True, people=list(people), actor=actor)


def ask(app: Flask, actor: Actor, **options: str) -> str:
    app.extensions["desk"].watch.numbers(fresh=True)
    wanted = Ask("iris", [IRIS], "api", "r", time.time_ns(), **options)
    [made] = predictions.make(app.extensions["desk"], actor, wanted)
    return made.id  # type: ignore[union-attr]


def told(act: Callable[[], object]) -> str:
    with pytest.raises(AppError) as refused:
        act()
    return f"{type(refused.value).__name__}: {refused.value.detail}"


def test_a_restricted_model_is_there_for_those_named_and_who_sees_all(app: Flask, actor: People) -> None:
    restrict("Alice")
    for name, sees in (("alice", True), ("bob", False), ("paula", False), ("carol", True), ("dave", True)):
        assert ("iris" in [m.name for m in registry.list_models(actor(name))]) is sees, name
    assert "iris" in [m.name for m in registry.list_models(None)]


def test_a_restricted_model_looks_like_one_that_is_absent(app: Flask, actor: People) -> None:
    desk, bob = app.extensions["desk"], actor("bob")
    ask(app, bob)
    restrict("alice")
    ask(app, actor("alice"))  # so that it is remembered
    for version, alias in ((None, None), ("1", None), ("9", None), (None, "live"), (None, "none")):
        found = told(lambda v=version, a=alias: ask(app, actor("bob"), version=v, alias=a))
        assert found == told(lambda: registry.list_versions("iris", actor=actor("bob")))
    for version in (None, "1", "9"):
        assert told(lambda v=version: registry.describe(desk.store, "iris", v, actor=actor("bob"))) == found
    absent = told(lambda: registry.describe(desk.store, "irix", actor=actor("bob")))
    assert absent.replace("irix", "iris") == found


def test_opened_again_it_answers_everybody(app: Flask, actor: People) -> None:
    restrict("alice")
    model_access.change("iris", restricted=False, people=[], actor=None)
    assert ask(app, actor("bob"))
    assert model_access.get("iris", None) == model_access.Access("iris", "Iris species", False, ())


def test_records_from_before_stay_their_owners(app: Flask, actor: People) -> None:
    kept = ask(app, actor("bob"))
    restrict()
    assert history.get(actor("bob"), kept).model == "iris"


def test_what_is_under_way_when_a_model_is_closed_is_not_kept(
    app: Flask, actor: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, submit = actor("bob"), app.extensions["desk"].commits.submit

    def late(entry: object) -> None:
        monkeypatch.undo()
        restrict("alice")
        submit(entry)

    monkeypatch.setattr(app.extensions["desk"].commits, "submit", late)
    with pytest.raises(NotFound):
        ask(app, bob)
    assert not history.search(actor("dave"), history.Filters(), limit=1, key="k").records


def test_only_admins_decide_and_it_is_on_the_record(app: Flask, actor: People) -> None:
    for name in ("alice", "paula", "carol"):
        with pytest.raises(NotAllowed):
            restrict(actor=actor(name))
        with pytest.raises(NotAllowed):
            model_access.list_all(actor(name))
    restrict("paula", "alice", actor=actor("dave"))
    restrict("alice", "paula", actor=actor("dave"))  # the same again is no event
    [event] = session().query(Event).filter_by(kind="model-access")
    assert event.user_id == actor("dave").id
    assert orjson.loads(event.facts) == {"model": "iris", "restricted": True, "people": ["alice", "paula"]}


def test_nothing_is_changed_for_a_model_or_a_person_that_is_not_there(app: Flask) -> None:
    for name, people in (("irix", []), ("iris", ["\0"]), ("iris", ["alice", "nobody"]), ("\0", [])):
        with pytest.raises(NotFound):
            model_access.change(name, restricted=True, people=people, actor=None)
    assert not model_access.get("iris", None).restricted
