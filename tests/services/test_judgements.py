"""Reviews and outcomes: who may add them, what they may say, and what the audit log holds of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, cast

import pytest
from sqlalchemy import select

from tests.records import Ledger
from webapp.db import Event, Leaf, Outcome, Prediction, Review
from webapp.db.base import session
from webapp.errors import Conflict, InvalidInput, NotAllowed, NotFound
from webapp.ml.schema import Output
from webapp.ml.schema.features import Choice
from webapp.services import history, judging, outcomes, reviews
from webapp.services.history import Filters
from webapp.services.people import Actor

STORE = cast(Any, None)


class Version:
    """A version whose classes have other values than labels."""

    class schema:
        output = Output(
            "classification", "y", "Y", (Choice(0, "setosa"), Choice(1, "virginica"), Choice("2", "2"))
        )


@pytest.fixture(autouse=True)
def version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging.registry, "describe", lambda *_, **__: Version)


@pytest.fixture
def who(ledger: Ledger) -> dict[str, Actor]:
    return ledger.actors


def ids(actor: Actor, **words: str) -> list[str]:
    page = history.search(actor, Filters.read(words), limit=10, key="k" * 32)
    return [r.id for r in page.records]


def test_a_review_is_kept_and_the_latest_counts(ledger: Ledger, who: dict[str, Actor]) -> None:
    record = ledger.write()
    reviews.override(STORE, who["alice"], record, "virginica", "  the photo says so ")
    reviews.confirm(who["dave"], record)
    told = reviews.of(record)
    assert [(r.user, r.action, r.decision, r.reason) for r in told] == [
        ("alice", "overridden", "virginica", "the photo says so"),
        ("dave", "confirmed", None, ""),
    ]
    assert history.get(who["alice"], record).review == "confirmed"


def test_an_outcome_is_kept_and_a_correction_takes_its_place(ledger: Ledger, who: dict[str, Actor]) -> None:
    record = ledger.write()
    first = outcomes.report(STORE, who["alice"], record, 1, "api")
    second = outcomes.report(STORE, who["alice"], record, "setosa", "form")
    assert (first.actual, first.verdict, second.actual, second.verdict) == (
        "virginica",
        "differs",
        "setosa",
        "agrees",
    )
    assert [o.actual for o in outcomes.of(record)] == ["virginica", "setosa"]
    assert history.get(who["alice"], record).outcome == "agrees"
    rows = session().scalars(select(Outcome).order_by(Outcome.seq)).all()
    assert [r.latest for r in rows] == [False, True]
    kept = session().query(Prediction).filter_by(id=record).one()
    assert (rows[1].model_id, rows[1].version_id, rows[1].predicted_us) == (
        kept.model_id,
        kept.version_id,
        kept.created_us,
    )


def test_a_number_is_judged_by_numbers(ledger: Ledger, who: dict[str, Actor]) -> None:
    record = ledger.write(model="diabetes")
    told = outcomes.report(STORE, who["alice"], record, 160, "api")
    reviews.override(STORE, who["alice"], record, 155.5, "measured again")
    assert (told.actual, told.verdict, reviews.of(record)[0].decision) == (160.0, "known", 155.5)


@pytest.mark.parametrize("actual", ["none", 0.0, True, None, 2, [], float("nan")])
def test_only_a_class_of_the_version_can_be_true(
    ledger: Ledger, who: dict[str, Actor], actual: object
) -> None:
    with pytest.raises(InvalidInput) as error:
        outcomes.report(STORE, who["alice"], ledger.write(), actual, "api")
    assert [p.pointer for p in error.value.problems] == ["#/actual"]


@pytest.mark.parametrize("actual", ["152", True, None, float("inf"), 10**400])
def test_only_a_finite_number_can_be_true_of_a_regression(
    ledger: Ledger, who: dict[str, Actor], actual: object
) -> None:
    with pytest.raises(InvalidInput):
        outcomes.report(STORE, who["alice"], ledger.write(model="diabetes"), actual, "api")


@pytest.mark.parametrize(
    ("decision", "reason", "pointers"),
    [
        ("virginica", " ", ["#/reason"]),
        ("setosa", "why not", ["#/decision"]),
        ("none", "", ["#/decision", "#/reason"]),
        ("virginica", "x" * 2001, ["#/reason"]),
        ("virginica", "a\0b", ["#/reason"]),
    ],
)
def test_deciding_otherwise_needs_another_answer_and_a_reason(
    ledger: Ledger, who: dict[str, Actor], decision: str, reason: str, pointers: list[str]
) -> None:
    record = ledger.write()
    with pytest.raises(InvalidInput) as error:
        reviews.override(STORE, who["alice"], record, decision, reason)
    assert [p.pointer for p in error.value.problems] == pointers
    assert reviews.of(record) == []


@pytest.mark.parametrize(
    ("name", "refusal"), [("bob", NotFound), ("paula", NotFound), ("carol", NotAllowed), ("dave", None)]
)
def test_owners_and_admins_judge_and_others_do_not(
    ledger: Ledger, who: dict[str, Actor], name: str, refusal: type[Exception] | None
) -> None:
    record = ledger.write("alice")
    for act in (
        lambda: reviews.confirm(who[name], record),
        lambda: outcomes.report(STORE, who[name], record, "setosa", "api"),
    ):
        if refusal is None:
            act()
            continue
        with pytest.raises(refusal):
            act()
    assert len(reviews.of(record)) == len(outcomes.of(record)) == (refusal is None)


def test_nothing_is_added_to_what_was_erased(ledger: Ledger, who: dict[str, Actor]) -> None:
    record = ledger.write(inputs=None, output=None, salts=None, state="erased", label=None, score=None)
    for act in (
        lambda: reviews.confirm(who["alice"], record),
        lambda: outcomes.report(STORE, who["alice"], record, "setosa", "api"),
    ):
        with pytest.raises(Conflict):
            act()


def test_corrections_have_an_end(
    ledger: Ledger, who: dict[str, Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "MOST", 2)
    record = ledger.write()
    for _ in range(2):
        reviews.confirm(who["alice"], record)
    with pytest.raises(Conflict):
        reviews.confirm(who["alice"], record)


def test_the_log_commits_to_what_was_said_without_holding_it(ledger: Ledger, who: dict[str, Actor]) -> None:
    record = ledger.write()
    reviews.override(STORE, who["alice"], record, "virginica", "her sister said so")
    outcomes.report(STORE, who["alice"], record, "virginica", "api")
    for kind, table in (("review", Review), ("outcome", Outcome)):
        event = session().query(Event).filter_by(kind=kind).order_by(Event.seq.desc()).first()
        assert event and event.facts and event.salt
        row: Any = session().query(table).filter_by(event_id=event.id).one()
        facts = json.loads(event.facts)
        leaf = session().query(Leaf).filter_by(record_id=event.id).one()
        assert facts["record"] == record
        assert facts["note"] == hmac.digest(row.salt, row.note.encode(), "sha256").hex()
        assert (
            json.loads(leaf.canonical)["facts"]
            == hmac.digest(event.salt, event.facts.encode(), hashlib.sha256).hex()
        )
        assert "virginica" not in event.facts + leaf.canonical
        assert "sister" not in event.facts + leaf.canonical


def test_what_was_said_can_be_erased_alone(ledger: Ledger, who: dict[str, Actor]) -> None:
    record = ledger.write()
    reviews.override(STORE, who["alice"], record, "virginica", "her sister said so")
    session().query(Review).update({Review.note: None, Review.salt: None})
    session().commit()
    [told] = reviews.of(record)
    assert (told.action, told.decision, told.reason) == ("overridden", None, None)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({"reviewed": "yes"}, "reviewed"),
        ({"reviewed": "overridden"}, "reviewed"),
        ({"reviewed": "confirmed"}, None),
        ({"reviewed": "no", "outcome": "yes"}, "known"),
        ({"outcome": "differs"}, "known"),
        ({"outcome": "agrees"}, None),
        ({"warned": "yes"}, "warned"),
        (
            {"warned": "no", "outcome": "no", "reviewed": "no", "state": "active", "score_from": "0.9"},
            "plain",
        ),
        ({"state": "erased"}, "erased"),
        ({"score_from": "0.4", "score_to": "0.5"}, "unsure"),
    ],
)
def test_records_are_found_by_what_became_of_them(
    ledger: Ledger, who: dict[str, Actor], words: dict[str, str], found: str | None
) -> None:
    written = {
        "plain": ledger.write(),
        "reviewed": ledger.write(),
        "known": ledger.write(),
        "warned": ledger.write(warnings=[{"feature": "x", "kind": "missing", "detail": "-"}]),
        "erased": ledger.write(inputs=None, output=None, salts=None, state="erased", label=None, score=None),
        "unsure": ledger.write(score=0.45),
    }
    reviews.override(STORE, who["alice"], written["reviewed"], "virginica", "seen")
    outcomes.report(STORE, who["alice"], written["known"], "virginica", "api")
    assert ids(who["alice"], **words) == ([written[found]] if found else [])


@pytest.mark.parametrize("word", ["warned", "state", "reviewed", "outcome", "score_from", "score_to"])
@pytest.mark.parametrize("text", ["perhaps", "-1", "1.5", "nan", "1e-1", "٠"])
def test_words_about_what_became_of_an_answer_are_checked(word: str, text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Filters.read({word: text})
    assert [p.pointer for p in error.value.problems] == [f"#/{word}"]


def test_a_least_score_beyond_the_most_is_told() -> None:
    with pytest.raises(InvalidInput) as error:
        Filters.read({"score_from": "0.9", "score_to": "0.1"})
    assert [p.pointer for p in error.value.problems] == ["#/score_from"]


@pytest.mark.parametrize(
    "words", [{"warned": "yes"}, {"state": "erased"}, {"reviewed": "yes"}, {"outcome": "no"}]
)
def test_what_is_true_of_few_is_read_from_an_index_in_order(
    ledger: Ledger, who: dict[str, Actor], words: dict[str, str]
) -> None:
    if session().get_bind().dialect.name != "sqlite":
        return  # a planner with statistics rightly sorts a table of no rows
    query = history._newest(history.matching(who["carol"], Filters.read(words)))
    compiled = query.compile(session().get_bind())
    plan = (
        session()
        .connection()
        .exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", tuple(compiled.params.values()))
    )
    steps = [step for *_, step in plan]
    assert not [s for s in steps if "TEMP B-TREE" in s]
    name = {"warned": "warned", "state": "inactive", "reviewed": "reviewed"}.get(
        next(iter(words)), "created_us_seq"
    )
    assert f"ix_predictions_{name}" in steps[0]
