"""The one way to predict."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.db import Failure, IdempotencyKey, Leaf, Prediction, TokenFamily, User
from webapp.db.base import session as request_session
from webapp.db.base import transaction
from webapp.db.changes import ACCESS, bump
from webapp.errors import InvalidInput, KeyReused, NotAllowed, NotFound, NotSignedIn, TooLarge, TooMany
from webapp.services import predictions
from webapp.services.audit import commitment
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.predictions import Ask, Refused
from webapp.services.quota import Quota

SETOSA = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
Cast = Callable[[str], Actor]


def session() -> Session:
    """A session that sees what is stored by now."""
    current = request_session()
    current.rollback()
    return current


def ask(*rows: Any, **changes: Any) -> Ask:
    known = {"model": "iris", "channel": "api", "request_id": "r" * 24, "started_ns": time.time_ns()}
    return Ask(rows=rows, many=len(rows) > 1, **{**known, **changes})


def test_an_answer_is_on_the_record_with_what_was_asked(desk: Desk, actor: Cast) -> None:
    [made] = predictions.make(desk, actor("alice"), ask(SETOSA, subject="patient 7"))
    row = session().query(Prediction).filter_by(id=made.id).one()
    assert (made.label, row.label, row.channel, row.subject) == ("setosa", "setosa", "api", "patient 7")
    assert orjson.loads(row.inputs)["received"] == SETOSA
    assert orjson.loads(row.output)["probabilities"] == made.probabilities
    assert sum(made.probabilities.values()) == pytest.approx(1, abs=1e-6)


def test_the_leaf_commits_to_inputs_and_output_without_holding_them(desk: Desk, actor: Cast) -> None:
    [made] = predictions.make(desk, actor("alice"), ask(SETOSA))
    row = session().query(Prediction).filter_by(id=made.id).one()
    leaf = session().query(Leaf).filter_by(record_id=made.id).one()
    canonical = orjson.loads(leaf.canonical)
    assert leaf.hash == hashlib.sha256(b"\x00" + leaf.canonical.encode()).digest()
    assert list(canonical) == sorted(canonical)
    assert canonical["inputs"] == commitment(row.salts[:32], row.inputs.encode())
    assert canonical["output"] == commitment(row.salts[32:], row.output.encode())
    assert "setosa" not in leaf.canonical
    assert "petal" not in leaf.canonical


def test_many_rows_are_answered_in_order(desk: Desk, actor: Cast) -> None:
    virginica = {"sepal_length": 6.7, "sepal_width": 3.0, "petal_length": 5.2, "petal_width": 2.3}
    made = predictions.make(desk, actor("alice"), ask(SETOSA, virginica, SETOSA))
    assert [m.label for m in made] == ["setosa", "virginica", "setosa"]


def test_all_problems_of_all_rows_are_told_at_once(desk: Desk, actor: Cast) -> None:
    with pytest.raises(InvalidInput) as refusal:
        predictions.make(desk, actor("alice"), ask({**SETOSA, "petal_width": "wide"}, {}, SETOSA))
    pointers = [p.pointer for p in refusal.value.problems]
    assert pointers[0] == "#/instances/0/petal_width"
    assert len(pointers) == 5
    assert session().query(Prediction).count() == 0


def test_bad_rows_can_be_answered_beside_good_ones(desk: Desk, actor: Cast) -> None:
    first, second = predictions.make(desk, actor("alice"), ask(SETOSA, {}, on_error="row"))
    assert first.label == "setosa"
    assert isinstance(second, Refused)
    assert len(second.problems) == 4


def test_an_auditor_does_not_predict(desk: Desk, actor: Cast) -> None:
    with pytest.raises(NotAllowed):
        predictions.make(desk, actor("carol"), ask(SETOSA))


def test_an_unknown_model_or_version_is_not_found(desk: Desk, actor: Cast) -> None:
    for changes in ({"model": "nobody"}, {"version": "9"}, {"version": "²"}, {"alias": "shadow"}):
        with pytest.raises(NotFound):
            predictions.make(desk, actor("alice"), ask(SETOSA, **changes))


def test_too_many_rows_are_refused(desk: Desk, actor: Cast) -> None:
    desk.max_rows = 2
    with pytest.raises(TooLarge):
        predictions.make(desk, actor("alice"), ask(SETOSA, SETOSA, SETOSA))


def test_a_quota_counts_each_account_by_itself(desk: Desk, actor: Cast) -> None:
    desk.quota = Quota(2)
    for _ in range(2):
        predictions.make(desk, actor("alice"), ask(SETOSA))
    with pytest.raises(TooMany) as refusal:
        predictions.make(desk, actor("alice"), ask(SETOSA))
    assert 1 <= refusal.value.retry_after <= 31
    predictions.make(desk, actor("bob"), ask(SETOSA))


def test_a_change_of_other_accounts_does_not_disturb(desk: Desk, actor: Cast) -> None:
    alice = actor("alice")
    with transaction() as s:
        bump(s, ACCESS)
    assert predictions.make(desk, alice, ask(SETOSA))


def test_access_lost_while_predicting_leaves_no_answer(desk: Desk, actor: Cast) -> None:
    alice = actor("alice")
    with transaction() as s:
        s.query(User).filter_by(username="alice").update({"disabled_us": 1})
        bump(s, ACCESS)
    with pytest.raises(NotSignedIn):
        predictions.make(desk, alice, ask(SETOSA))
    assert session().query(Prediction).count() == 0


def test_a_revoked_token_predicts_nothing_more(desk: Desk, actor: Cast) -> None:
    person = actor("alice")
    with transaction() as s:
        s.add(
            TokenFamily(
                id="f", user_id=person.id, refresh_jti="j", created_us=1, expires_us=2**60, revoked_us=1
            )
        )
        bump(s, ACCESS)
    program = Actor(person.id, "alice", "analyst", access=person.access, family="f")
    with pytest.raises(NotSignedIn):
        predictions.make(desk, program, ask(SETOSA))


def test_a_request_sent_again_gets_the_same_records(desk: Desk, actor: Cast) -> None:
    again = {"idempotency_key": "k", "fingerprint": "f"}
    first = predictions.make(desk, actor("alice"), ask(SETOSA, SETOSA, **again))
    second = predictions.make(desk, actor("alice"), ask(SETOSA, SETOSA, **again))
    assert [m.id for m in first] == [m.id for m in second]
    assert first[0].probabilities == second[0].probabilities
    assert session().query(Prediction).count() == 2


def test_a_key_with_another_body_is_a_conflict_and_with_another_account_is_its_own(
    desk: Desk, actor: Cast
) -> None:
    predictions.make(desk, actor("alice"), ask(SETOSA, idempotency_key="k", fingerprint="f"))
    with pytest.raises(KeyReused):
        predictions.make(desk, actor("alice"), ask(SETOSA, idempotency_key="k", fingerprint="g"))
    predictions.make(desk, actor("bob"), ask(SETOSA, idempotency_key="k", fingerprint="g"))
    assert session().query(Prediction).count() == 2


def test_keys_are_forgotten_after_a_day_and_their_records_stay(desk: Desk, actor: Cast) -> None:
    day_us = 24 * 3600 * 1_000_000
    predictions.make(desk, actor("alice"), ask(SETOSA, idempotency_key="new", fingerprint="f"))
    predictions.make(desk, actor("alice"), ask(SETOSA, idempotency_key="old", fingerprint="f"))
    with transaction() as s:
        s.query(IdempotencyKey).filter_by(key="old").update(
            {"created_us": IdempotencyKey.created_us - day_us}
        )
    predictions.forget_keys()
    assert [k.key for k in session().query(IdempotencyKey)] == ["new"]
    assert session().query(Prediction).count() == 2


def test_fifty_at_once_with_one_key_make_one_record(app: Flask, desk: Desk, actor: Cast) -> None:
    alice, ids, errors = actor("alice"), [], []

    def send() -> None:
        with app.app_context():
            try:
                [made] = predictions.make(desk, alice, ask(SETOSA, idempotency_key="k", fingerprint="f"))
                ids.append(made.id)
            except Exception as error:
                errors.append(error)

    run_together([send] * 50)
    assert errors == []
    assert len(ids) == 50
    assert len(set(ids)) == 1
    assert session().query(Prediction).count() == 1


def test_concurrent_callers_get_their_own_answers(app: Flask, desk: Desk, actor: Cast) -> None:
    people = [actor("alice"), actor("bob")]
    seen: list[tuple[str, float, int]] = []

    def send(number: int) -> None:
        with app.app_context():
            row = {**SETOSA, "sepal_length": 4 + number / 100}
            [made] = predictions.make(desk, people[number % 2], ask(row, subject=f"s{number}"))
            seen.append((made.id, row["sepal_length"], number))

    run_together([lambda n=n: send(n) for n in range(64)])
    assert len(seen) == 64
    for record_id, length, number in seen:
        row = session().scalars(select(Prediction).where(Prediction.id == record_id)).one()
        assert orjson.loads(row.inputs)["received"]["sepal_length"] == length
        assert (row.user_id, row.subject) == (people[number % 2].id, f"s{number}")


def test_failed_requests_are_counted_by_kind(desk: Desk, actor: Cast) -> None:
    for _ in range(3):
        with pytest.raises(InvalidInput):
            predictions.make(desk, actor("alice"), ask({}))
    desk.failures.store()
    [row] = session().scalars(select(Failure)).all()
    assert (row.kind, row.count) == ("InvalidInput", 3)


def run_together(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
