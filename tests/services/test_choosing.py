"""Submissions that wait for their publisher to pick an engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, update

from tests.handing_in import engines, flowers
from webapp.db import Submitted
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound
from webapp.services import registry, submissions, users
from webapp.services.desk import Desk
from webapp.services.jobs.presence import Presence
from webapp.services.people import Actor
from webapp.services.submissions import SubmissionView, Upload, rows
from webapp.services.submissions.reaping import reap
from webapp.services.submissions.running import run

Actors = Callable[[str], Actor]
Send = Callable[..., SubmissionView]


@pytest.fixture(autouse=True)
def asked_for(shown_engines: list[str]) -> list[str]:
    """The engine of each inspection."""
    return shown_engines


@pytest.fixture
def send(desk: Desk, actor: Actors, tmp_path: Path) -> Send:
    """send(): paula sends flowers.skops, and asks to be shown all engines first."""

    def make(engine: str = "ask") -> SubmissionView:
        files, sent = {}, tmp_path / "sent"
        sent.mkdir(exist_ok=True)
        for part, data in zip(("model", "data"), flowers(), strict=True):
            (sent / part).write_bytes(data)
            files[part] = (sent / part, {"model": "flowers.skops", "data": "flowers.csv"}[part])
        return submissions.add(desk, actor("paula"), Upload("flowers", files, "target", engine=engine))

    return make


@pytest.fixture
def resting(desk: Desk, send: Send) -> SubmissionView:
    """One that has been inspected and waits."""
    return work(desk, send())


def work(desk: Desk, found: SubmissionView) -> SubmissionView:
    done = run(desk, found.id, "nobody", lambda: False)
    assert done is not None
    return done


def published() -> list[str]:
    try:
        return [version.number for version in registry.list_versions("flowers", actor=None)]
    except NotFound:
        return []


def test_who_asks_first_is_shown_the_engines_and_nothing_is_published(
    desk: Desk, resting: SubmissionView
) -> None:
    assert (resting.state, resting.version, resting.finished_us, resting.held) == (
        "choosing",
        None,
        None,
        False,
    )
    assert not resting.open and "engine" in resting.words and published() == []
    assert resting.report is not None and resting.report["engines"] == engines()
    assert desk.workshop.job(resting.id).is_dir() and desk.store.models() == ["diabetes", "iris", "purchase"]


def test_the_engine_that_is_picked_is_the_one_that_is_made(
    desk: Desk, resting: SubmissionView, actor: Actors, asked_for: list[str]
) -> None:
    picked = submissions.choose(desk, actor("paula"), resting.id, "onnx-int8")
    assert (picked.state, picked.engine, picked.report) == ("waiting", "onnx-int8", resting.report)
    done = work(desk, picked)
    assert (done.state, done.version, asked_for) == ("published", "1", ["ask", "onnx-int8"])
    assert not desk.workshop.job(done.id).exists()


def test_an_engine_named_at_once_is_not_asked_about(desk: Desk, send: Send, asked_for: list[str]) -> None:
    assert work(desk, send("sklearn")).state == work(desk, send("auto")).state == "published"
    assert asked_for == ["sklearn", "auto"]


def test_an_engine_that_there_is_not_is_refused_before_anything_is_opened(send: Send) -> None:
    with pytest.raises(InvalidInput) as refused:
        send("gpu")
    assert refused.value.problems[0].pointer == "#/engine"
    assert "auto, ask, sklearn, onnx" in refused.value.problems[0].detail


@pytest.mark.parametrize("engine", ["ask", "pruned", "gpu", ""])
def test_only_what_is_offered_can_be_picked(
    desk: Desk, resting: SubmissionView, actor: Actors, engine: str
) -> None:
    with pytest.raises(InvalidInput, match=r"auto, sklearn, onnx, onnx-float32, onnx-int8$") as refused:
        submissions.choose(desk, actor("paula"), resting.id, engine)
    assert refused.value.problems[0].pointer == "#/engine"
    assert submissions.choose(desk, actor("paula"), resting.id, "auto").state == "waiting"


def test_it_is_picked_by_who_sent_it_or_an_admin(desk: Desk, resting: SubmissionView, actor: Actors) -> None:
    with pytest.raises(NotFound):
        submissions.choose(desk, actor("alice"), resting.id, "onnx")
    with pytest.raises(NotAllowed):
        submissions.choose(desk, actor("carol"), resting.id, "onnx")
    assert submissions.choose(desk, actor("dave"), resting.id, "onnx").state == "waiting"


def test_who_may_not_publish_any_more_picks_nothing(
    desk: Desk, resting: SubmissionView, actor: Actors
) -> None:
    users.set_role("paula", "analyst", None)
    with pytest.raises(NotAllowed):
        submissions.choose(desk, actor("paula"), resting.id, "onnx")


def test_nothing_is_picked_where_nothing_waits_for_it(desk: Desk, send: Send, actor: Actors) -> None:
    waiting = send()
    with pytest.raises(Conflict, match="does not wait"):
        submissions.choose(desk, actor("paula"), waiting.id, "onnx")
    submissions.cancel(desk, actor("paula"), work(desk, waiting).id)
    with pytest.raises(Conflict):
        submissions.choose(desk, actor("paula"), waiting.id, "onnx")


def test_one_that_waits_for_its_engine_can_be_cancelled(
    desk: Desk, resting: SubmissionView, actor: Actors
) -> None:
    done = submissions.cancel(desk, actor("paula"), resting.id)
    assert done.state == "cancelled" and done.finished_us and not desk.workshop.job(done.id).exists()


def test_of_racing_choices_and_a_cancellation_one_holds(
    app: Flask, desk: Desk, resting: SubmissionView, actor: Actors
) -> None:
    engines, paula = ("sklearn", "onnx", "onnx-int8", None) * 2, actor("paula")
    ready, won, lost = Barrier(len(engines)), list[str | None](), list[str | None]()

    def race(engine: str | None) -> None:
        with app.app_context():
            ready.wait()
            try:
                if engine:
                    submissions.choose(desk, paula, resting.id, engine)
                else:
                    submissions.cancel(desk, paula, resting.id)
                won.append(engine)
            except Conflict:
                lost.append(engine)

    threads = [Thread(target=race, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = rows.read_one(resting.id)
    chosen = [engine for engine in won if engine]
    assert found is not None and len(won) + len(lost) == len(engines)
    assert len(chosen) <= 1 and found.engine == (chosen[0] if chosen else "ask")
    assert (found.state == "cancelled") == (None in won) and won.count(None) <= 1


def test_a_worker_that_dies_before_it_rests_is_followed_by_another(desk: Desk, send: Send) -> None:
    waiting = send()
    assert rows.claim(waiting.id, "dead") is not None
    reap(desk)
    assert work(desk, waiting).state == "choosing"


def test_a_worker_that_dies_over_the_choice_is_followed_by_another(
    desk: Desk, resting: SubmissionView, actor: Actors, asked_for: list[str]
) -> None:
    submissions.choose(desk, actor("paula"), resting.id, "onnx-int8")
    assert rows.claim(resting.id, "dead") is not None
    reap(desk)
    assert work(desk, resting).state == "published" and asked_for == ["ask", "onnx-int8"]


def test_one_that_comes_late_puts_nothing_down(desk: Desk, send: Send, actor: Actors) -> None:
    late = rows.claim(send().id, "slow")
    assert late is not None
    reap(desk)
    picked = submissions.choose(desk, actor("paula"), work(desk, late).id, "onnx")
    with pytest.raises(rows.Outrun):
        rows.rest(late, {"report": {}, "warnings": []})
    assert work(desk, picked).state == "published"


def test_one_that_is_cancelled_while_it_is_inspected_does_not_rest(
    desk: Desk, send: Send, actor: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, presence = send(), Presence(desk.workshop.workers)
    rest = rows.rest

    def cancelled(found: SubmissionView, manifest: dict[str, Any]) -> None:
        submissions.cancel(desk, actor("paula"), found.id)
        rest(found, manifest)

    monkeypatch.setattr(rows, "rest", cancelled)
    done = run(desk, waiting.id, presence.id, lambda: False)
    presence.end()
    assert done is not None and done.state == "cancelled" and not desk.workshop.job(done.id).exists()


def test_a_choice_whose_message_is_lost_is_found(
    desk: Desk, resting: SubmissionView, actor: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def lost(_: str) -> None:
        raise OSError("killed in between")

    monkeypatch.setattr(desk.workshop.queue, "put", lost)
    submissions.choose(desk, actor("paula"), resting.id, "onnx")
    monkeypatch.setattr(desk.workshop.queue, "put", sent.append)
    reap(desk)
    assert sent == []
    _move(resting, rows.now_us() - 11_000_000)
    reap(desk)
    assert sent == [resting.id]


def test_its_files_are_kept_for_a_week_and_no_longer(desk: Desk, resting: SubmissionView) -> None:
    _move(resting, rows.now_us() - rows.CHOICE_US + 60_000_000)
    reap(desk)
    found = rows.read_one(resting.id)
    assert found is not None and found.choosing and desk.workshop.job(resting.id).is_dir()
    _move(resting, rows.now_us() - rows.CHOICE_US - 1)
    reap(desk)
    ended = rows.read_one(resting.id)
    assert ended is not None and (ended.state, ended.errors[0].pointer) == ("cancelled", "#/engine")
    assert "within 7 days" in ended.errors[0].detail and not desk.workshop.job(resting.id).exists()


def test_one_from_before_engines_could_be_picked_is_published(
    desk: Desk, send: Send, asked_for: list[str]
) -> None:
    waiting = send("sklearn")
    with transaction() as s:
        old = func.replace(Submitted.wishes, ',"engine":"sklearn"', "")
        s.execute(update(Submitted).values(wishes=old))
    assert "engine" not in rows.read_one(waiting.id).wishes  # type: ignore[union-attr]
    assert work(desk, waiting).state == "published" and asked_for == ["auto"]


def _move(found: SubmissionView, us: int) -> None:
    with transaction() as s:
        s.execute(update(Submitted).where(Submitted.id == found.id).values(moved_us=us))
    session().rollback()
