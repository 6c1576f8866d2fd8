"""Submissions, from the upload to the version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from tests.handing_in import flowers
from webapp.db import Submitted
from webapp.db.base import transaction
from webapp.errors import BadArtifact, Conflict, InvalidInput, NotAllowed, NotFound, NotReady, TooLarge
from webapp.services import model_access, registry, submissions, users
from webapp.services.jobs.presence import Presence
from webapp.services.people import Actor
from webapp.services.submissions import SubmissionView, Upload, rows
from webapp.services.submissions.advice import advice
from webapp.services.submissions.reaping import reap
from webapp.services.submissions.running import run
from webapp.wording import Said

Actors = Callable[[str], Actor]
Send = Callable[..., SubmissionView]
pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def send(app: Flask, actor: Actors, tmp_path: Path) -> Send:
    """send(): paula sends flowers.skops; `by`, files and members of the Upload can be others."""

    def make(
        *,
        by: str = "paula",
        name: str = "flowers.skops",
        model: bytes | None = None,
        to: str = "flowers",
        **more: Any,
    ) -> SubmissionView:
        given = {"model": flowers()[0] if model is None else model, "data": flowers()[1]}
        sent = tmp_path / "sent"
        sent.mkdir(exist_ok=True)
        for part, data in given.items():
            (sent / part).write_bytes(data)
        files = {"model": (sent / "model", name), "data": (sent / "data", "flowers.csv")}
        upload = Upload(**{"model": to, "files": files, "target": "target", **more})
        return submissions.add(app.extensions["desk"], actor(by), upload)

    return make


def work(app: Flask, found: SubmissionView, leaving: Callable[[], bool] = lambda: False) -> SubmissionView:
    done = run(app.extensions["desk"], found.id, "nobody", leaving)
    assert done is not None
    return done


def versions(name: str = "flowers") -> list[str]:
    try:
        return [version.number for version in registry.list_versions(name, actor=None)]
    except NotFound:
        return []


def files_of(app: Flask, found: SubmissionView) -> Path:
    return app.extensions["desk"].workshop.job(found.id)


def test_the_first_version_answers_and_later_ones_wait(app: Flask, send: Send) -> None:
    for promote, live in ((False, True), (False, False), (True, True)):
        waiting = send(promote=promote)
        assert (waiting.state, waiting.progress, files_of(app, waiting).is_dir()) == ("waiting", 0.0, True)
        done = work(app, waiting)
        assert (done.state, done.live, done.errors) == ("published", live, [])
        assert not files_of(app, done).exists()
    assert versions() == ["3", "2", "1"] and done.version == "3"
    assert done.report is not None and done.report["metrics"]["accuracy"] > 0.9


def test_a_version_says_what_it_was_made_of(app: Flask, send: Send) -> None:
    work(app, send(name="folder/My flowers.skops", card={"caveats": "Few rows"}, title="Flowers"))
    detail = registry.describe(app.extensions["desk"].store, "flowers", actor=None)
    assert detail.manifest["filename"] == "My flowers.skops"
    assert len(detail.manifest["source_sha256"]) == len(detail.manifest["data_sha256"]) == 64
    assert "test_sha256" not in detail.manifest and detail.manifest["report"]["conversion"]["done"]
    assert (detail.title, detail.manifest["card"]["caveats"]) == ("Flowers", "Few rows")


def test_what_was_found_can_still_be_said_in_another_language(app: Flask, send: Send) -> None:
    done = work(app, send())
    assert done.report is not None
    told = registry.describe(app.extensions["desk"].store, "flowers", actor=None).manifest["engines"]
    for reason in (
        done.report["conversion"]["reason"],
        told["reason"],
        *(one["reason"] for one in told["options"]),
    ):
        assert isinstance(reason, Said), reason
    assert isinstance(work(app, send(model=b"PK nonsense")).errors[0].detail, Said)


def test_a_refusal_says_why_and_changes_nothing(app: Flask, send: Send) -> None:
    refused = work(app, send(model=b"PK nonsense"))
    assert (refused.state, refused.version) == ("refused", None)
    assert "not a whole skops file" in refused.errors[0].detail
    assert not files_of(app, refused).exists() and versions() == []


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"by": "alice"}, NotAllowed, "Only publishers"),
        ({"by": "carol"}, NotAllowed, "Only publishers"),
        ({"name": "x.joblib"}, BadArtifact, "can run code"),
        ({"name": "x.txt"}, BadArtifact, "is not a model file"),
        ({"to": "No Name"}, InvalidInput, "a-z, 0-9"),
        ({"to": "new"}, InvalidInput, "address of another page"),
        ({"target": ""}, InvalidInput, "the column of the data"),
        ({"title": "x" * 201}, InvalidInput, "at most 200"),
        ({"card": {"use": "x"}}, BadArtifact, "no member “use”"),
        ({"card": {"caveats": 3}}, BadArtifact, "must be a text"),
        ({"files": {}}, InvalidInput, "send a file under this name"),
    ],
)
def test_what_can_be_seen_at_once_is_refused_at_once(
    send: Send, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        send(**changes)


def test_a_file_beyond_the_limit_is_refused(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "MAX_FILE", 100)
    with pytest.raises(TooLarge, match="“model”"):
        send()


def test_a_restricted_model_is_absent_for_who_may_not_use_it(app: Flask, send: Send) -> None:
    model_access.change("iris", restricted=True, people=[], actor=None)
    with pytest.raises(NotFound, match="no model named 'iris'"):
        send(to="iris")
    model_access.change("iris", restricted=True, people=["paula"], actor=None)
    waiting = send(to="iris")
    model_access.change("iris", restricted=True, people=[], actor=None)
    assert work(app, waiting).state == "refused"
    assert versions("iris") == ["1"]
    assert work(app, send(to="iris", by="dave")).version == "2"


@pytest.mark.parametrize(
    "change", [lambda: users.set_role("paula", "analyst", None), lambda: users.disable("paula", None)]
)
def test_who_may_not_publish_any_more_publishes_nothing(
    app: Flask, send: Send, change: Callable[[], object]
) -> None:
    waiting = send()
    change()
    assert work(app, waiting).state == "refused" and versions() == []


def test_another_password_does_not_end_the_work(app: Flask, send: Send) -> None:
    waiting = send()
    users.reset_password("paula", None)
    assert work(app, waiting).state == "published"


def test_others_see_nothing_of_it(app: Flask, send: Send, actor: Actors) -> None:
    users.set_role("alice", "publisher", None)
    mine, theirs = send(), send(by="alice")
    assert [one.id for one in submissions.search(actor("paula"), limit=9, key="k").rows] == [mine.id]
    for name in ("carol", "dave"):
        assert [one.id for one in submissions.search(actor(name), limit=9, key="k").rows] == [
            theirs.id,
            mine.id,
        ]
        older = submissions.search(actor(name), limit=1, key="k").older
        page = submissions.search(actor(name), limit=1, key="k", cursor=older)
        assert [one.id for one in page.rows] == [mine.id]
    for ask in (submissions.get, lambda a, i: submissions.cancel(app.extensions["desk"], a, i)):
        with pytest.raises(NotFound):
            ask(actor("paula"), theirs.id)
        with pytest.raises(NotFound):
            ask(actor("paula"), "sub_\0")
    with pytest.raises(NotAllowed):
        submissions.cancel(app.extensions["desk"], actor("carol"), mine.id)


def test_one_that_waits_can_be_cancelled(app: Flask, send: Send, actor: Actors) -> None:
    desk, waiting = app.extensions["desk"], send()
    assert submissions.cancel(desk, actor("paula"), waiting.id).state == "cancelled"
    assert not files_of(app, waiting).exists()
    assert run(desk, waiting.id, "nobody", lambda: False) is None
    with pytest.raises(Conflict):
        submissions.cancel(desk, actor("dave"), waiting.id)


def test_one_that_is_inspected_is_ended_by_its_worker(
    app: Flask, send: Send, actor: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, waiting = app.extensions["desk"], send()
    presence = Presence(desk.workshop.workers)
    move = rows.move

    def cancelled(found: SubmissionView, stage: str) -> None:
        if stage == "converting":
            assert submissions.cancel(desk, actor("paula"), found.id).state == "inspecting"
        move(found, stage)

    monkeypatch.setattr(rows, "move", cancelled)
    done = run(desk, waiting.id, presence.id, lambda: False)
    presence.end()
    assert done is not None and done.state == "cancelled" and versions() == []


def test_one_that_is_cancelled_at_the_last_moment_leaves_no_version(
    app: Flask, send: Send, actor: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, waiting = app.extensions["desk"], send()
    on_behalf = submissions.running.people.on_behalf  # type: ignore[attr-defined]

    def cancelled(user_id: int) -> Actor:
        with transaction() as s:
            s.execute(update(Submitted).values(cancel=True))
        return on_behalf(user_id)

    monkeypatch.setattr("webapp.services.people.on_behalf", cancelled)
    assert work(app, waiting).state == "cancelled"
    assert versions() == [] and desk.store.versions("flowers") == []


def test_a_worker_that_leaves_hands_it_on(app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = send()
    handed = work(app, waiting, leaving=lambda: True)
    assert (handed.state, handed.held) == ("inspecting", False) and files_of(app, handed).is_dir()
    assert work(app, handed).state == "published"


def test_a_dead_worker_costs_one_more_try_and_no_third(app: Flask, send: Send) -> None:
    desk, waiting = app.extensions["desk"], send()
    for _ in range(2):
        assert rows.claim(waiting.id, "dead") is not None
        reap(desk)
        found = rows.read_one(waiting.id)
        assert found is not None and not found.held
    assert run(desk, waiting.id, "nobody", lambda: False) is None
    found = rows.read_one(waiting.id)
    assert found is not None and (found.state, versions()) == ("failed", [])
    assert "ended twice" in found.errors[0].detail
    reap(desk)
    assert not files_of(app, waiting).exists()


def test_one_that_comes_back_publishes_nothing_after_another(app: Flask, send: Send) -> None:
    late = rows.claim(send().id, "slow")
    assert late is not None
    reap(app.extensions["desk"])
    assert work(app, late).state == "published"
    with pytest.raises(rows.Outrun):
        rows.move(late, "scoring")
    rows.end(late, "refused")
    assert rows.read_one(late.id).state == "published"  # type: ignore[union-attr]


def test_files_that_are_gone_are_told(app: Flask, send: Send) -> None:
    waiting = send()
    (files_of(app, waiting) / "data").unlink()
    assert "are gone; send it again" in work(app, waiting).errors[0].detail


def test_a_full_disk_is_told_without_a_path(app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = send()

    def full(*_: Any, **__: Any) -> None:
        raise NotReady("Nothing was published, because /var/lib cannot be written to")

    monkeypatch.setattr("webapp.services.registry.publish", full)
    with pytest.raises(NotReady):
        work(app, waiting)
    found = rows.read_one(waiting.id)
    assert found is not None and found.state == "failed" and "/var" not in found.errors[0].detail


def test_what_nobody_expected_gives_it_back(app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = send()
    monkeypatch.setattr("webapp.services.registry.publish", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work(app, waiting)
    found = rows.read_one(waiting.id)
    assert found is not None and found.open and not found.held


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("xgboost.sklearn.XGBClassifier (as ObjectNode)", "xgboost models are not read"),
        ("__main__.Mine (as ObjectNode)", "of your own"),
        ("posix.system (as TypeNode)", "Leave functions out"),
        ("sklearn.x.Y (as ObjectNode)", "not on the list"),
        ("other.Y (as ObjectNode)", "export the model to ONNX"),
    ],
)
def test_a_refused_type_comes_with_advice(name: str, words: str) -> None:
    assert words in advice(name)
