"""Erasure: what goes, what stays, who may, and that nothing brings it back."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import select, text

from tests.erasing import DAY_US, fill, found
from webapp.db import Event, IdempotencyKey, Job, Leaf, Outcome, Prediction, Review, SavedFilter
from webapp.db.base import session, transaction
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotReady
from webapp.extensions import db
from webapp.services import (
    audit,
    disclosures,
    erasure,
    history,
    holds,
    outcomes,
    predictions,
    reviews,
    saved,
    sealing,
    verifying,
)
from webapp.services.clock import now_us
from webapp.services.erasure import Order, parts
from webapp.services.people import Actor
from webapp.services.predictions import Ask
from webapp.services.targets import Target, mentions

Who = Callable[[str], Actor]
ORDER = Order("lgpd-18-vi", requested_by="subject", typed="ERASE")
EARLY = Order("lgpd-18-vi", requested_by="subject", typed="ERASE BEFORE ITS TIME")
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
SECRET = "7.123456789"


def ask(app: Flask, actor: Actor, subject: str | None = None, **changes: Any) -> str:
    """A record made as every record is; returns its id."""
    row = {**FLOWER, **changes.pop("inputs", {})}
    asked = Ask("iris", [row], "api", "req", time.time_ns(), subject=subject, **changes)
    [made] = predictions.make(app.extensions["desk"], actor, asked)
    return made.id  # type: ignore[union-attr]


def of(record_id: str) -> Prediction:
    session().rollback()
    return session().query(Prediction).filter_by(id=record_id).one()


def events(kind: str = "erasure") -> list[dict[str, Any]]:
    session().rollback()
    rows = session().query(Event).filter_by(kind=kind).order_by(Event.seq)
    return [{"id": e.id, "seq": e.seq, "user": e.user_id, **json.loads(e.facts or "{}")} for e in rows]


def test_what_was_asked_and_answered_goes_and_the_leaf_stays(app: Flask, actor: Who, desk: Any) -> None:
    record, other = ask(app, actor("alice"), "case 7"), ask(app, actor("alice"), "case 71")
    reviews.override(desk.store, actor("alice"), record, "virginica", "her sister said so")
    outcomes.report(desk.store, actor("alice"), record, "virginica", "api")
    leaf = session().query(Leaf).filter_by(record_id=record).one()
    before = (leaf.canonical, leaf.hash)
    done = erasure.erase(desk, actor("dave"), Target.of([record]), EARLY)
    row = of(record)
    assert (done.records, done.clean, row.state) == (1, True, "erased")
    kept = ("inputs", "output", "salts", "subject", "label", "value", "score")
    assert [getattr(row, name) for name in kept] == [None] * 7
    [review], [outcome] = session().query(Review).all(), session().query(Outcome).all()
    assert (review.note, review.salt, outcome.note, outcome.salt, outcome.label) == (None,) * 5
    session().refresh(leaf)
    assert (leaf.canonical, leaf.hash) == before
    assert of(other).state == "active" and of(other).subject == "case 71"


def test_the_event_says_who_when_why_and_what_and_names_nobody(app: Flask, actor: Who, desk: Any) -> None:
    record = ask(app, actor("alice"), "case 7")
    erasure.erase(
        desk, actor("dave"), Target.of(subject="case 7"), Order("other", "a wish", "authority", EARLY.typed)
    )
    [event] = events()
    assert event["records"] == [record] and of(record).erasure == event["seq"]
    told = {
        name: event[name] for name in ("basis", "reason", "requested_by", "despite_floor", "events", "user")
    }
    assert told == {
        "basis": "other",
        "reason": "a wish",
        "requested_by": "authority",
        "despite_floor": True,
        "events": [],
        "user": actor("dave").id,
    }
    shown = history.get(actor("alice"), record).erasure
    assert shown and (shown.user, shown.basis, shown.reason) == ("dave", "other", "a wish")
    assert "case 7" not in json.dumps(event)


@pytest.mark.parametrize("name", ["alice", "paula", "carol"])
def test_only_admins_and_the_operator_erase(app: Flask, actor: Who, desk: Any, name: str) -> None:
    record = ask(app, actor("alice"), "case 7")
    with pytest.raises(NotAllowed):
        erasure.erase(desk, actor(name), Target.of([record]), EARLY)
    assert of(record).state == "active"
    assert erasure.erase(desk, None, Target.of([record]), EARLY).records == 1


@pytest.mark.parametrize(
    ("order", "pointers"),
    [
        (Order("because", typed="ERASE"), ["#/basis"]),
        (Order("retention", typed="ERASE"), ["#/basis"]),
        (Order("other", " ", typed="ERASE"), ["#/reason"]),
        (Order("other", "x" * 2001, "her", typed="ERASE"), ["#/requested_by", "#/reason"]),
        (Order("other", "about CASE 7.", typed="ERASE"), ["#/reason"]),
        (Order("other", "a\0b", typed="ERASE"), ["#/reason"]),
        (Order("lgpd-16", typed="erase"), ["#/typed"]),
        (Order("lgpd-16"), ["#/typed"]),
    ],
)
def test_an_order_that_is_not_whole_erases_nothing(
    app: Flask, actor: Who, desk: Any, order: Order, pointers: list[str]
) -> None:
    [record] = fill(session(), 1, lambda _: {"subject": "case 7"})
    for target in (Target.of([record]), Target.of(subject="case 7")):
        with pytest.raises(InvalidInput) as error:
            erasure.erase(desk, actor("dave"), target, order)
        assert [p.pointer for p in error.value.problems] == pointers
    assert of(record).state == "active" and events() == []


def test_what_is_not_there_can_not_be_erased(app: Flask, actor: Who, desk: Any) -> None:
    for records in (["pred_" + "0" * 44], ["nothing"], ["pred_\0"]):
        with pytest.raises(NotFound):
            Target.of(records)
    with pytest.raises(NotFound):
        erasure.erase(desk, actor("dave"), Target.of(subject="nobody"), ORDER)
    record = ask(app, actor("alice"))
    erasure.erase(desk, None, Target.of([record]), EARLY)
    with pytest.raises(Conflict, match="erased already"):
        erasure.erase(desk, None, Target.of([record]), EARLY)
    for many in ([], ["pred_" + f"{n:044x}" for n in range(501)]):
        with pytest.raises(InvalidInput):
            Target.of(many)


def test_a_young_record_needs_other_words_and_says_so_for_good(app: Flask, actor: Who, desk: Any) -> None:
    [old] = fill(session(), 1, lambda _: {})
    [young] = fill(session(), 1, lambda _: {}, days=10)
    possible = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 173 * 86_400))
    with pytest.raises(Conflict, match=f"kept for 183 days: 1 of these until {possible}"):
        erasure.erase(desk, actor("dave"), Target.of([old, young]), ORDER)
    erasure.erase(desk, actor("dave"), Target.of([old]), ORDER)
    erasure.erase(desk, actor("dave"), Target.of([young]), Order("lgpd-16", typed="APAGAR ANTES DO PRAZO"))
    assert [e["despite_floor"] for e in events()] == [False, True]


def test_what_is_asked_meanwhile_is_not_taken_before_its_time(
    app: Flask, actor: Who, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(session(), 1, lambda _: {"subject": "case 7"})
    real, made = erasure.take, []

    def late(*args: Any, **kwargs: Any) -> Any:
        made.append(ask(app, actor("alice"), "case 7"))
        return real(*args, **kwargs)

    monkeypatch.setattr(erasure, "take", late)
    assert erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), ORDER).records == 1
    assert of(made[0]).state == "active"


def test_a_restricted_record_is_not_erased(app: Flask, actor: Who, desk: Any) -> None:
    first, second = fill(session(), 2, lambda _: {"subject": "case 7"})
    holds.restrict(actor("dave"), Target.of([second]), "a claim", now_us() + 10 * DAY_US)
    with pytest.raises(Conflict, match=rf"{second} is restricted until \d{{4}}-.*\(a claim\)"):
        erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), ORDER)
    assert [of(r).state for r in (first, second)] == ["active", "restricted"]
    holds.lift(actor("dave"), Target.of([second]))
    assert erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), ORDER).records == 2


def test_many_records_take_several_events_and_each_names_its_own(
    app: Flask, actor: Who, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART", 10)
    ids = fill(session(), 35, lambda i: {"subject": "case 7" if i % 2 else f"case {i}"})
    mine = ids[1::2]
    done = erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), ORDER)
    assert (done.records, len(done.said)) == (17, 2)
    named = {record: e["seq"] for e in events() for record in e["records"]}
    assert named == {record: of(record).erasure for record in mine}
    assert session().query(Prediction).filter_by(state="active").count() == 18


HOSTILE = [
    'O\'Brien "Bob"; DROP TABLE x',
    "100% _under\\score",
    "\u05e9\u05dc\u05d5\u05dd\u200f \u05e2\u05d5\u05dc\u05dd",  # written from right to left
    "👩‍⚕️ 7",
    "x" * 200,
    "José da Silva & Cia + 2=3",
]


@pytest.mark.parametrize("subject", HOSTILE)
def test_any_subject_is_erased_exactly_and_everywhere(
    app: Flask, actor: Who, desk: Any, subject: str, tmp_path: Path
) -> None:
    record, near = fill(session(), 2, lambda i: {"subject": subject if i == 0 else f"{subject[:190]}0"})
    query = urlencode({"subject": subject})
    saved.keep(actor("alice"), "mine", query)
    saved.keep(actor("bob"), "other", urlencode({"q": "something else"}))
    for words in ({"subject": subject}, {"q": subject}, {"subject": "another"}):
        disclosures.export_begun(actor("carol"), "csv", words, [])
    seen = erasure.preview(Target.of(subject=subject))
    assert (seen.records, len(seen.traces.events), len(seen.traces.filters)) == (1, 2, 1)
    erasure.erase(desk, actor("dave"), Target.of(subject=subject), ORDER)
    assert (of(record).state, of(near).state) == ("erased", "active")
    [event] = events()
    told = session().scalars(select(Event).where(Event.kind == "export").order_by(Event.seq)).all()
    assert event["events"] == [e.id for e in told[:2]]
    assert [(e.facts, e.salt) for e in told[:2]] == [(None, None)] * 2 and told[2].facts
    assert [f.name for f in session().query(SavedFilter)] == ["other"]
    assert erasure.preview(Target.of(subject=subject)).nothing


def test_a_subject_that_only_stands_in_other_places_goes_from_there(
    app: Flask, actor: Who, desk: Any
) -> None:
    saved.keep(actor("alice"), "mine", "subject=case+7")
    assert erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), ORDER).filters == 1
    [event] = events()
    assert (event["records"], event["events"]) == ([], [])


@pytest.mark.parametrize(
    ("text", "subject", "there"),
    [
        ("case 7", "case 7", True),
        ("about Case 7, please", "case 7", True),
        ("case 71", "case 7", False),
        ("showcase 7", "case 7", False),
        ("showcase 7 case 7", "case 7", True),
        ("2026-01-07", "7", False),
        ("(7)", "7", True),
        ("", "7", False),
    ],
)
def test_a_text_names_a_subject_only_as_a_whole(text: str, subject: str, there: bool) -> None:
    assert mentions(text, subject) is there


def batch(app: Flask, actor: Actor, state: str = "done") -> tuple[str, Path]:
    """A batch of one row about case 7, predicted; its id and its folder."""
    job, desk = f"job_{os.urandom(22).hex()}", app.extensions["desk"]
    record = ask(
        app,
        actor,
        "case 7",
    )
    session().query(Prediction).filter_by(id=record).update({"request_id": job, "channel": "batch"})
    row = of(record)
    kept = {"model_id": row.model_id, "version_id": row.version_id, "user_id": actor.id, "state": state}
    findings = {"preview": [[2, "case 7"]], "first": [[1, 2, "x", "case 7"]], "total": 1, "names": ["case"]}
    with transaction() as s:
        s.query(Prediction).filter_by(id=record).update({"request_id": job, "channel": "batch"})
        more = {"file_name": "case 7.csv", "file_bytes": 9, "created_us": 1, "moved_us": 1}
        s.add(Job(id=job, findings=json.dumps(findings), **kept, **more))
    folder = desk.workshop.job(job)
    folder.mkdir(parents=True)
    (folder / "upload").write_text("case\ncase 7\n")
    return job, folder


def test_the_files_of_a_batch_with_an_erased_record_go(app: Flask, actor: Who, desk: Any) -> None:
    job, folder = batch(app, actor("alice"))
    assert [(b.id, b.active) for b in erasure.preview(Target.of(subject="case 7")).batches] == [(job, False)]
    done = erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), EARLY)
    row = session().query(Job).filter_by(id=job).one()
    assert done.batches == 1 and row.removed_us and not folder.exists()
    assert (row.file_name, "case 7" in (row.findings or "")) == ("erased.csv", False)


def test_a_batch_that_is_being_worked_on_stops_an_erasure(app: Flask, actor: Who, desk: Any) -> None:
    job, folder = batch(app, actor("alice"), "running")
    with pytest.raises(Conflict, match=job):
        erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), EARLY)
    assert folder.exists() and events() == []


def test_files_that_a_killed_erasure_has_left_go_with_the_next(app: Flask, actor: Who, desk: Any) -> None:
    job, folder = batch(app, actor("alice"))
    with transaction() as s:
        s.query(Job).filter_by(id=job).update({"removed_us": 1})
    erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), EARLY)
    assert not folder.exists()


def test_a_request_sent_again_does_not_bring_an_answer_back(app: Flask, actor: Who, desk: Any) -> None:
    again = {"idempotency_key": "key 1", "fingerprint": "f" * 64}
    named = {"idempotency_key": "about case 7", "fingerprint": "f" * 64}
    record = ask(app, actor("alice"), "case 7", **again)
    ask(app, actor("alice"), "case 7", **named)
    erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), EARLY)
    with pytest.raises(Conflict, match="was erased"):
        ask(app, actor("alice"), "case 7", **again)
    [key] = session().query(IdempotencyKey).all()
    assert (key.key, key.fingerprint, json.loads(key.record_ids)) == ("key 1", "", [record])


def test_what_is_left_is_verified_as_erased(app: Flask, actor: Who, desk: Any) -> None:
    record, other = ask(app, actor("alice"), "case 7"), ask(app, actor("alice"), "case 8")
    reviews.override(desk.store, actor("alice"), record, "virginica", "seen")
    outcomes.report(desk.store, actor("alice"), record, "virginica", "api")
    disclosures.export_begun(actor("carol"), "csv", {"subject": "case 7"}, [])
    holds.restrict(actor("dave"), Target.of([other]), "a claim")
    session().rollback()
    sealing.seal(desk.seals.keys)
    erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), EARLY)
    sealing.seal(desk.seals.keys)
    findings = verifying.verify(desk.seals.keys)
    assert (findings.n_altered, findings.erased) == (0, 1), findings


def test_every_process_forgets_remembered_answers(app: Flask, actor: Who, desk: Any) -> None:
    record = ask(app, actor("alice"))
    desk.answers.put(7, (7.1,), "answer")
    ask(app, actor("alice"))
    assert desk.answers.get(7, (7.1,)) == "answer"
    erasure.erase(desk, actor("dave"), Target.of([record]), EARLY)
    ask(app, actor("alice"))  # a group commit of any kind brings the news
    assert desk.answers.get(7, (7.1,)) is None


def test_a_commitment_without_its_salt_is_not_guessed(app: Flask, actor: Who, desk: Any) -> None:
    guesses(app, actor("alice"), desk, 2000)


def guesses(app: Flask, alice: Actor, desk: Any, n: int) -> None:
    """E2: of `n` candidates none gives the commitment; the salt, kept by the test, gives it at once."""
    record = ask(app, alice, inputs={"petal_length": 4.321}, fingerprint="f" * 64, idempotency_key="k")
    row, leaf = of(record), session().query(Leaf).filter_by(record_id=record).one()
    salts, inputs, kept = row.salts or b"", (row.inputs or "").encode(), json.loads(leaf.canonical)["inputs"]
    assert audit.commitment(salts[:32], inputs) == kept
    erasure.erase(desk, None, Target.of([record]), EARLY)
    # What an attacker has: everything that is left in the database.
    left = of(record)
    keys = [b"", bytes(32), left.id.encode(), leaf.hash, str(left.created_us).encode()]
    candidates = [inputs.replace(b"4.321", str(i / 1000).encode()) for i in range(n - 1)] + [inputs]
    per = max(len(keys) * len(candidates) // n, 1)
    tried = {audit.commitment(key, one) for key in keys[:per] for one in candidates}
    assert kept not in tried and len(tried) >= n - 1
    assert not session().query(IdempotencyKey).filter(IdempotencyKey.fingerprint != "").count()


def test_nothing_is_erased_where_the_journal_cannot_be_written(app: Flask, actor: Who, desk: Any) -> None:
    record = ask(app, actor("alice"), "case 7")
    desk.journal._path.mkdir()
    with pytest.raises(NotReady, match="journal"):
        erasure.erase(desk, actor("dave"), Target.of([record]), EARLY)
    assert of(record).state == "active" and events() == []


def lines(desk: Any) -> list[dict[str, Any]]:
    return desk.journal.read(0)  # type: ignore[no-any-return]


def test_the_journal_has_each_erasure_before_it_is_done(app: Flask, actor: Who, desk: Any) -> None:
    record = ask(app, actor("alice"), "case 7")
    erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), EARLY)
    [line], [event] = lines(desk), events()
    assert (line["event"], line["records"], line["basis"]) == (event["id"], [record], "lgpd-18-vi")
    assert desk.journal._path.stat().st_mode & 0o777 == 0o600
    assert "case 7" not in desk.journal._path.read_text()


def test_a_torn_line_breaks_nothing(app: Flask, actor: Who, desk: Any) -> None:
    first, second = ask(app, actor("alice")), ask(app, actor("alice"))
    erasure.erase(desk, None, Target.of([first]), EARLY)
    with desk.journal._path.open("ab") as file:
        file.write(b'{"event":"evt_torn","records":["pred_')
    erasure.erase(desk, None, Target.of([second]), EARLY)
    assert [line["records"] for line in lines(desk)] == [[first], [second]]
    assert erasure.reapply(desk) == 0
    with desk.journal._path.open("ab") as file:
        file.write(b'{"event"')
    assert erasure.reapply(desk) == 0 and erasure.reapply(desk) == 0


def restored(record: str, subject: str) -> None:
    """Make a record what an older copy of the database would have it be, and the horizon with it."""
    session().rollback()
    values = {
        "state": "active",
        "erasure": None,
        "inputs": "{}",
        "output": "{}",
        "salts": b"s" * 64,
        "subject": subject,
    }
    session().query(Prediction).filter_by(id=record).update(values)
    session().execute(text("DELETE FROM horizons WHERE name = 'erasures'"))
    session().execute(text("DELETE FROM events WHERE kind = 'erasure'"))
    session().commit()


def test_what_an_older_copy_brings_back_is_erased_again(app: Flask, actor: Who, desk: Any) -> None:
    record, other = ask(app, actor("alice"), "case 7"), ask(app, actor("alice"), "case 8")
    erasure.erase(desk, actor("dave"), Target.of(subject="case 7"), EARLY)
    restored(record, "case 7")
    saved.keep(actor("alice"), "mine", "subject=case+7")
    assert erasure.reapply(desk) == 1
    assert (of(record).state, of(record).subject, of(other).state) == ("erased", None, "active")
    [event] = events()
    assert event["reapplied"] and event["basis"] == "lgpd-18-vi" and of(record).erasure == event["seq"]
    assert session().query(SavedFilter).count() == 0
    assert erasure.reapply(desk) == 0 and len(events()) == 1


def test_what_was_restricted_after_an_erasure_that_failed_is_left(app: Flask, actor: Who, desk: Any) -> None:
    record, older = ask(app, actor("alice")), ask(app, actor("alice"))
    holds.restrict(actor("dave"), Target.of([older]), "a claim")
    line = {"event": "evt_x", "at_us": now_us(), "basis": "lgpd-16", "records": [record, older], "events": []}
    desk.journal.append(line)
    holds.restrict(actor("dave"), Target.of([record]), "a later claim")
    assert erasure.reapply(desk) == 1
    assert (of(record).state, of(older).state) == ("restricted", "erased")


def test_nothing_is_read_of_the_journal_when_all_of_it_is_in_the_database(
    app: Flask, actor: Who, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure.erase(desk, None, Target.of([ask(app, actor("alice"))]), EARLY)
    monkeypatch.setattr(type(desk.journal), "read", lambda *_: pytest.fail("read"))
    assert erasure.reapply(desk) == 0


def together(app: Flask, *works: Callable[[], Any]) -> list[Any]:
    """What each of several pieces of work, done at once, returned or raised."""
    barrier, results = threading.Barrier(len(works)), [None] * len(works)

    def run(i: int) -> None:
        with app.app_context():
            barrier.wait()
            try:
                results[i] = works[i]()
            except Exception as error:
                results[i] = error  # type: ignore[call-overload]
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=[i]) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_two_who_erase_the_same_at_once_erase_it_once(app: Flask, actor: Who, desk: Any) -> None:
    ids = fill(session(), 1200, lambda _: {"subject": "case 7"})
    dave = actor("dave")
    session().rollback()
    found = together(
        app, *(lambda: erasure.erase(desk, dave, Target.of(subject="case 7"), ORDER) for _ in "ab")
    )
    named = [record for event in events() for record in event["records"]]
    assert sorted(named) == sorted(ids)
    assert all(isinstance(f, Conflict | NotFound | erasure.Done) for f in found), found
    assert sum(f.records for f in found if isinstance(f, erasure.Done)) == 1200


def test_an_outcome_reported_meanwhile_is_erased_or_refused(app: Flask, actor: Who, desk: Any) -> None:
    alice, dave = actor("alice"), actor("dave")
    for _ in range(10):
        record = ask(app, alice, "case 7")
        together(
            app,
            lambda: outcomes.report(desk.store, alice, record, "setosa", "api"),  # noqa: B023
            lambda: erasure.erase(desk, dave, Target.of([record]), EARLY),  # noqa: B023
        )
        assert of(record).state == "erased"
    assert session().query(Outcome).filter(Outcome.note.is_not(None)).count() == 0


def everything(
    app: Flask, desk: Any, actor: Who, folder: Path, n: int, of_them: int
) -> tuple[list[str], float]:
    """E1: erase `of_them` of `n` subjects, each with records, searches and exports; their words, and the seconds."""
    ids = [f"subject-{i:07d}-é" for i in range(n)]
    fill(session(), n, lambda i: {"subject": ids[i], "inputs": {"note": f"said-{i:07d}-x"}})
    erased = ids[:: n // of_them][:of_them]
    for subject in erased[:5]:
        disclosures.report_printed(actor("carol"), {"subject": subject}, 1)
        saved.keep(actor("alice"), subject[:40], urlencode({"q": subject}))
    begun = time.monotonic()
    for subject in erased:
        target = Target.of(subject=subject)
        ground = parts.Ground("lgpd-18-vi", "", "subject")
        erasure.take(desk, None, [target.condition], ground, [subject])
    assert erasure.clean()
    words = [w for s in erased for w in (s, f"said-{s[8:15]}-x")]
    return words, time.monotonic() - begun


def test_no_byte_of_what_was_erased_is_left(
    app: Flask, actor: Who, desk: Any, backend: str, tmp_path: Path
) -> None:
    if backend != "sqlite":
        pytest.skip("where PostgreSQL keeps its bytes is its own")
    words, _ = everything(app, desk, actor, tmp_path, 3000, 100)
    session().rollback()
    assert found(tmp_path, words) == []
    assert found(tmp_path, ["subject-0000001-é"])  # that one looks where records are


def test_the_log_of_sqlite_keeps_no_copy(
    app: Flask, actor: Who, desk: Any, backend: str, tmp_path: Path
) -> None:
    if backend != "sqlite":
        pytest.skip("PostgreSQL has no such log")
    fill(session(), 10, lambda i: {"subject": f"somebody-{i}"})
    assert erasure.erase(desk, None, Target.of(subject="somebody-3"), ORDER).clean
    assert found(tmp_path, ["somebody-3"]) == [] != found(tmp_path, ["somebody-4"])


def test_a_long_reader_puts_the_cleaning_off_and_is_told_of(
    app: Flask, actor: Who, desk: Any, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend != "sqlite":
        pytest.skip("PostgreSQL has no such log")
    monkeypatch.setattr(erasure, "WAIT", 0.2)
    fill(session(), 10, lambda i: {"subject": f"somebody-{i}"})
    reader = db.engine.connect()
    reader.execute(text("SELECT count(*) FROM predictions"))
    done = erasure.erase(desk, None, Target.of(subject="somebody-3"), ORDER)
    assert not done.clean and found(tmp_path, ["somebody-3"])
    reader.close()
    assert erasure.clean() and not found(tmp_path, ["somebody-3"])


def test_the_tables_of_postgresql_are_vacuumed(app: Flask, actor: Who, desk: Any, backend: str) -> None:
    if backend == "sqlite":
        pytest.skip("SQLite overwrites at once")
    fill(session(), 10, lambda i: {"subject": f"somebody-{i}"})
    assert erasure.erase(desk, None, Target.of(subject="somebody-3"), ORDER).clean
    session().rollback()
    dead = text("SELECT vacuum_count > 0 FROM pg_stat_user_tables WHERE relname = 'predictions'")
    for _ in range(50):
        if session().scalar(dead):
            return
        session().rollback()
        time.sleep(0.1)
    pytest.fail("predictions was not vacuumed")
