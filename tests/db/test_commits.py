"""The group commit: who shares a transaction, and who must not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from tests.server import eventually
from webapp.db import Leaf, Prediction
from webapp.db.base import session, transaction
from webapp.db.changes import ACCESS, bump
from webapp.db.commits import PREDICTION_COLUMNS, Entry, GroupCommit, StaleAccess
from webapp.errors import ModelFailed, NotReady
from webapp.services.clock import new_id
from webapp.services.people import Actor


@pytest.fixture
def commits(app: Flask) -> GroupCommit:
    return app.extensions["desk"].commits


@pytest.fixture
def entry(actor: Callable[[str], Actor]) -> Callable[..., Entry]:
    alice = actor("alice")

    def make(*ids: str, access: int = alice.access, key: tuple[Any, ...] | None = None) -> Entry:
        known = {
            "created_us": 1, "finished_us": 2, "request_id": "r", "user_id": alice.id, "role": "analyst",
            "channel": "api", "model_id": 1, "version_id": 1, "warned": 0, "cached": False, "engine": "onnx",
            "latency_us": 1, "timings": "{}", "inputs": "{}", "output": "{}", "salts": b"s" * 64, "state": "active",
        }  # fmt: skip
        rows = [tuple({**known, "id": i}.get(c) for c in PREDICTION_COLUMNS) for i in ids]
        return Entry(rows, [b'{"id":"%b"' % i.encode() for i in ids], access, key)

    return make


def asking(commits: GroupCommit, entry: Entry, told: list[object]) -> threading.Thread:
    """A thread that will submit the entry and add what comes of it to `told`: None, or the kind of error."""

    def submit() -> None:
        try:
            told.append(commits.submit(entry))
        except Exception as error:
            told.append(type(error))

    return threading.Thread(target=submit)


def stored() -> int:
    session().rollback()
    return session().scalar(select(func.count()).select_from(Prediction)) or 0


def test_an_entry_is_stored_with_a_leaf_for_each_row(
    commits: GroupCommit, entry: Callable[..., Entry]
) -> None:
    ids = [new_id("pred"), new_id("pred")]
    commits.submit(entry(*ids))
    assert stored() == 2
    leaves = session().scalars(select(Leaf).where(Leaf.record_id.in_(ids)).order_by(Leaf.writer_seq)).all()
    assert [leaf.record_id for leaf in leaves] == ids
    assert [leaf.writer_seq for leaf in leaves] == [0, 1]


def test_writers_number_their_leaves_without_gaps(commits: GroupCommit, entry: Callable[..., Entry]) -> None:
    threads = [threading.Thread(target=commits.submit, args=[entry(new_id("pred"))]) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored() == 32
    numbers = session().scalars(select(Leaf.writer_seq).where(Leaf.kind == "prediction")).all()
    assert sorted(numbers) == list(range(32))


def test_a_caller_checked_before_a_change_of_accounts_is_sent_back(
    commits: GroupCommit, entry: Callable[..., Entry]
) -> None:
    old = entry(new_id("pred"))
    with transaction() as s:
        bump(s, ACCESS)
    with pytest.raises(StaleAccess):
        commits.submit(old)
    assert stored() == 0


def test_a_change_of_accounts_under_way_is_waited_for(
    commits: GroupCommit, entry: Callable[..., Entry]
) -> None:
    told: list[object] = []
    thread = asking(commits, entry(new_id("pred")), told)
    with transaction() as s:
        bump(s, ACCESS)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()
    assert told == [StaleAccess]
    assert stored() == 0


def test_an_entry_is_filled_once_whatever_becomes_of_it(
    commits: GroupCommit, entry: Callable[..., Entry]
) -> None:
    filled = entry(new_id("pred"))
    calls = []

    def fill(late: Entry) -> None:
        calls.append(late)
        late.rows, late.heads = filled.rows, filled.heads

    late = Entry((), (), filled.access - 1, fill=fill)
    with pytest.raises(StaleAccess):
        commits.submit(late)
    commits.submit(replace(late, access=filled.access, error=None))
    assert stored() == len(calls) == 1


def test_an_entry_that_cannot_be_filled_takes_no_other_of_its_group_with_it(
    commits: GroupCommit, entry: Callable[..., Entry]
) -> None:
    def fail(_late: Entry) -> None:
        raise ModelFailed("The model has no answer to these values.")

    told: list[object] = []
    good = [entry(new_id("pred")) for _ in range(3)]
    bad = [Entry((), (), good[0].access, fill=fail) for _ in range(2)]
    with commits._turn:
        threads = [asking(commits, e, told) for e in (bad[0], *good, bad[1])]
        for thread in threads:
            thread.start()
        eventually(lambda: commits._open is not None and len(commits._open.entries) == len(threads), 10)
    for thread in threads:
        thread.join()
    assert sorted(map(str, told)) == sorted(map(str, [None] * 3 + [ModelFailed] * 2))
    assert stored() == 3


def test_a_used_key_stores_nothing_and_names_the_first_records(
    commits: GroupCommit, entry: Callable[..., Entry], actor: Callable[[str], Actor]
) -> None:
    key = (actor("alice").id, "key", "print", '["pred_1"]', 1)
    commits.submit(entry(new_id("pred"), key=key))
    again = entry(new_id("pred"), key=key)
    commits.submit(again)
    assert again.replay == ("print", '["pred_1"]')
    assert stored() == 1


def test_keys_of_a_group_are_claimed_in_one_order(
    commits: GroupCommit, entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed: list[str] = []
    admit = commits._admit

    def watch(cursor: Any, entry: Entry) -> bool:
        claimed.append(entry.key[1] if entry.key else "")
        return admit(cursor, entry)

    monkeypatch.setattr(commits, "_admit", watch)
    keyed = [entry(new_id("pred"), key=(2, name, "print", "[]", 1)) for name in "cab"]
    commits._write([keyed[0], entry(new_id("pred")), *keyed[1:]])
    assert claimed == ["", "a", "b", "c"]


def test_no_answer_without_a_record(commits: GroupCommit, entry: Callable[..., Entry]) -> None:
    twice = new_id("pred")
    with pytest.raises(NotReady) as refusal:
        commits.submit(entry(twice, twice))
    assert "UNIQUE" not in refusal.value.detail
    assert stored() == 0
    commits.submit(entry(new_id("pred")))
    assert stored() == 1


def test_a_leader_cut_short_has_stored_for_nobody(
    commits: GroupCommit, entry: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []

    def cut_short(*_: object) -> None:
        raise SystemExit

    def ask(wanted: Entry) -> None:
        try:
            commits.submit(wanted)
            answers.append("stored")
        except NotReady:
            answers.append("refused")
        except SystemExit:
            answers.append("cut short")

    monkeypatch.setattr(commits, "_store", cut_short)
    threads = [threading.Thread(target=ask, args=[entry(new_id("pred"))]) for _ in range(2)]
    with commits._turn:
        for thread in threads:
            thread.start()
        eventually(lambda: commits._open is not None and len(commits._open.entries) == 2, 10)
    for thread in threads:
        thread.join(10)
    assert (sorted(answers), stored()) == (["cut short", "refused"], 0)
    monkeypatch.undo()
    commits.submit(entry(new_id("pred")))
    assert stored() == 1


def test_every_connection_is_durable(app: Flask, commits: GroupCommit, entry: Callable[..., Entry]) -> None:
    commits.submit(entry(new_id("pred")))
    cursor = commits._connection.cursor()
    if session().get_bind().dialect.name == "sqlite":
        assert cursor.execute("PRAGMA synchronous").fetchone()[0] >= 2
        assert cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    else:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone()[0] == "on"
        assert session().scalar(text("SHOW fsync")) == "on"
