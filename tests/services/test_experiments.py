"""Two versions on the same traffic: who is answered by which, what is kept of it, and what it shows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.traffic import iris
from webapp.db import Prediction
from webapp.db.base import session
from webapp.errors import Conflict, InvalidInput, ModelFailed, NotAllowed, NotFound
from webapp.ml.packaging import package
from webapp.services import (
    assigning,
    erasure,
    experiments,
    history,
    outcomes,
    predictions,
    registry,
    releases,
    rollups,
    sealing,
)
from webapp.services.desk import Desk
from webapp.services.filters import Filters
from webapp.services.people import Actor
from webapp.services.predictions import Ask
from webapp.services.sealing.keys import Keyring
from webapp.services.targets import Target
from webapp.services.verifying import verify

Cast = Callable[[str], Actor]


@pytest.fixture(autouse=True)
def second(desk: Desk, packages: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second version of iris that answers otherwise; what is put off is done at once."""
    from sklearn.tree import DecisionTreeClassifier

    demo = packages["iris"][0]
    _, X, y, *test = demo.make()
    tree = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y)
    made = package(tree, X, y, format="skops", test=tuple(test), card=demo.card, edits=demo.edits)
    registry.publish(desk.store, made, name="iris", title="")
    monkeypatch.setattr(desk.repeats, "_later", lambda _seconds, work: work())


def ask(n: int, many: int = 0, **wanted: Any) -> Ask:
    rows = [iris(n + i * 37) for i in range(max(1, many))]
    return Ask("iris", rows, "api", "r" * 24, time.time_ns(), many=bool(many), **wanted)


def start(desk: Desk, who: Actor | None, **more: Any) -> experiments.ExperimentInfo:
    return experiments.start(desk, who, "iris", "2", **{"kind": "shadow"} | more)


def shadows() -> list[Prediction]:
    session().rollback()
    return session().query(Prediction).filter_by(channel="shadow").order_by(Prediction.seq).all()


def test_a_shadow_answers_the_same_and_is_shown_to_nobody(desk: Desk, actor: Cast) -> None:
    made = start(desk, actor("paula"))
    alice = actor("alice")
    shown = [predictions.make(desk, alice, ask(n, subject="case 7"))[0] for n in range(3)]
    shown += predictions.make(desk, alice, ask(50, many=5))
    assert {m.version for m in shown} == {"1"}
    kept = shadows()
    assert [row.request_id for row in kept] == [m.id for m in shown]
    assert {(row.experiment, row.version.number, row.user_id) for row in kept} == {(made.id, 2, alice.id)}
    assert [row.subject for row in kept[:4]] == ["case 7"] * 3 + [None]
    page = history.search(alice, Filters(), limit=50, key="k")
    assert {r.id for r in page.records} == {m.id for m in shown}
    with pytest.raises(NotFound):
        history.get(alice, kept[0].id)
    assert history.search(alice, Filters(channel="shadow"), limit=50, key="k").records == []
    assert len(history.search(actor("carol"), Filters(channel="shadow"), limit=50, key="k").records) == 8


def test_what_nobody_was_shown_is_not_counted(desk: Desk, actor: Cast) -> None:
    start(desk, None)
    predictions.make(desk, actor("alice"), ask(0, many=9))
    rollups.refresh(seconds=5.0)
    assert rollups.behind() == 0
    cells = rollups.cells.gather(
        (r.created_us, r.user_id, r.version_id, r.channel, r.label, r.value, r.score, r.warned, r.latency_us)
        for r in session().query(Prediction)
    )
    assert sum(cell.predictions for cell in cells.values()) == 9


def test_shadows_are_proved_and_verified_like_any_record(desk: Desk, keys: Keyring, actor: Cast) -> None:
    start(desk, None)
    predictions.make(desk, actor("alice"), ask(0, many=9))
    sealing.seal(keys)
    found = verify(keys)
    assert found.altered == []
    session().query(Prediction).filter_by(channel="shadow").update({"experiment": None})
    session().commit()
    assert len(verify(keys).altered) == 9


def test_what_is_erased_takes_its_shadow_along(desk: Desk, actor: Cast) -> None:
    start(desk, None)
    shown = predictions.make(desk, actor("alice"), ask(0, many=3))
    target = Target.of([shown[1].id])
    erasure.erase(desk, None, target, erasure.Order("lgpd-16", "", "subject", str(erasure.EARLY[0])))
    assert [row.output is None for row in shadows()] == [False, True, False]
    assert [row.inputs is None for row in shadows()] == [False, True, False]


def test_what_is_erased_meanwhile_gets_no_shadow(
    desk: Desk, actor: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Callable[[], None]] = []
    monkeypatch.setattr(desk.repeats, "_later", lambda _seconds, work: waiting.append(work))
    start(desk, None)
    shown = predictions.make(desk, actor("alice"), ask(0, many=3))
    order = erasure.Order("lgpd-16", "", "subject", str(erasure.EARLY[0]))
    erasure.erase(desk, None, Target.of([shown[0].id]), order)
    waiting[0]()
    assert [row.request_id for row in shadows()] == [m.id for m in shown[1:]]


def test_an_answer_given_again_under_its_key_is_not_repeated(desk: Desk, actor: Cast) -> None:
    start(desk, None)
    for _ in range(2):
        predictions.make(desk, actor("alice"), ask(0, idempotency_key="k", fingerprint="f"))
    assert len(shadows()) == 1


def test_a_split_is_sticky_by_subject_and_named_versions_are_left_alone(desk: Desk, actor: Cast) -> None:
    made = start(desk, actor("paula"), kind="split", share=0.5)
    alice = actor("alice")
    subjects = [f"case {n}" for n in range(60)]
    first = {s: predictions.make(desk, alice, ask(1, subject=s))[0] for s in subjects}
    assert 15 < Counter(m.version for m in first.values())["2"] < 45
    assert {m.experiment for m in first.values()} == {made.id}
    again = {s: predictions.make(desk, alice, ask(2, many=3, subject=s)) for s in subjects[:10]}
    assert all({m.version for m in again[s]} == {first[s].version} for s in again)
    named = predictions.make(desk, alice, ask(1, version="1", subject="case 0"))[0]
    assert (named.version, named.experiment) == ("1", None)


def test_the_share_holds_for_a_hundred_thousand_subjects() -> None:
    salt, limit = bytes(range(16)), assigning.limit(0.5)
    units = [assigning.unit(f"case {n}", 1) for n in range(100_000)]
    first = [assigning.among(salt, unit, limit) for unit in units]
    assert abs(sum(first) / len(first) - 0.5) < 0.006
    assert first == [assigning.among(salt, unit, limit) for unit in units]
    other = [assigning.among(b"x" * 16, unit, limit) for unit in units]
    assert abs(sum(a == b for a, b in zip(first, other, strict=True)) / len(first) - 0.5) < 0.006


def test_a_subject_is_no_account() -> None:
    assert assigning.unit("user:1", 2) != assigning.unit(None, 1)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_and_all_are_just_that(share: float) -> None:
    limit = assigning.limit(share)
    assert {assigning.among(b"s", b"%d" % n, limit) for n in range(1000)} == {share == 1.0}


def test_a_release_ends_the_comparison(desk: Desk, actor: Cast) -> None:
    made = start(desk, None)
    releases.promote(desk, actor("paula"), "iris", "2", reason="Better", revision=None)
    assert experiments.get(None, made.id).ended_us is not None
    predictions.make(desk, actor("alice"), ask(1))
    assert shadows() == []


def test_a_publication_that_goes_live_ends_it_too(desk: Desk, actor: Cast, packages: dict[str, Any]) -> None:
    made = start(desk, None)
    registry.publish(desk.store, packages["iris"][1], name="iris", title="", promote=True)
    assert experiments.get(None, made.id).ended_us is not None
    assert releases.history("iris", actor=None)[0].instead_of == "1"


def test_only_one_comparison_runs_and_only_of_what_compares(desk: Desk, actor: Cast) -> None:
    paula = actor("paula")
    with pytest.raises(NotAllowed):
        start(desk, actor("alice"))
    with pytest.raises(Conflict, match="answers already"):
        experiments.start(desk, paula, "iris", "1", kind="shadow")
    for wrong in ({"kind": "both"}, {"kind": "split", "share": 1.0}, {"share": 0.0}, {"share": float("nan")}):
        with pytest.raises(InvalidInput):
            start(desk, paula, **wrong)
    made = start(desk, paula)
    with pytest.raises(Conflict, match="Another comparison"):
        start(desk, paula)
    assert experiments.end(paula, made.id).ended_us is not None
    with pytest.raises(Conflict, match="ended already"):
        experiments.end(paula, made.id)
    assert [e.id for e in experiments.search(actor("alice"), "iris")] == [made.id]


def test_a_shadow_shows_agreement_and_a_verdict(desk: Desk, actor: Cast) -> None:
    made = start(desk, None)
    alice = actor("alice")
    shown = []
    for _ in range(3):
        shown += predictions.make(desk, alice, ask(0, many=400))
    for record in shown[:20]:
        outcomes.report(desk.store, alice, record.id, record.label, "api")
    found = experiments.results(desk.store, actor("alice"), made.id)
    assert (found.pairs, found.champion.n, found.challenger.n) == (1200, 1200, 1200)
    assert found.same is not None and 0 < found.same < 1200
    assert found.agreement is not None and found.agreement[0] < found.same / 1200 < found.agreement[1]
    assert sum(n for _, _, n in found.changes) == 1200 - found.same
    assert found.champion.right == found.champion.known == 20
    assert found.verdict is not None and found.verdict.result == "inconclusive"
    assert "20" in str(found.verdict.sentence)


def test_a_split_shows_each_side_by_itself(desk: Desk, actor: Cast) -> None:
    made = start(desk, None, kind="split", share=0.3)
    alice = actor("alice")
    for n in range(40):
        predictions.make(desk, alice, ask(n, subject=f"case {n}"))
    found = experiments.results(desk.store, None, made.id)
    assert found.champion.n + found.challenger.n == 40 and found.champion.n > found.challenger.n > 0
    assert (found.pairs, found.verdict) == (0, None)


def test_a_row_that_the_challenger_has_no_answer_to_is_left_out(
    desk: Desk, actor: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = start(desk, None)
    running = desk.resolver.find("iris", actor=None).running
    assert running is not None

    def fail(_rows: Any) -> Any:
        raise ModelFailed("no")

    monkeypatch.setattr(running.challenger.predictor, "predict", fail)
    assert predictions.make(desk, actor("alice"), ask(0))[0].version == "1"
    assert shadows() == [] and experiments.results(desk.store, None, made.id).pairs == 0
