from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from webapp.errors import InvalidInput, NotFound
from webapp.ml.packaging import package
from webapp.services import comparing, registry
from webapp.services.comparing import Pair
from webapp.services.desk import Desk
from webapp.services.people import Actor


@pytest.fixture
def second(desk: Desk, packages: dict[str, Any]) -> Callable[..., None]:
    """Publishes another version of iris, with other members in its manifest."""
    made = packages["iris"][1]

    def publish(**changes: Any) -> None:
        package = made._replace(manifest=made.manifest | changes)
        registry.publish(desk.store, package, name="iris", title="")

    return publish


def test_the_same_thing_published_twice_differs_in_nothing(desk: Desk, second: Callable[..., None]) -> None:
    second()
    found = comparing.compare(desk, "iris", "1", "2", actor=None)
    assert (found.changes, found.texts, found.software, found.rows_of) == ([], [], [], "1")
    assert found.answers and found.answers.alike == found.answers.rows == 112
    assert all(one.before == one.after for one in found.measures) and len(found.measures) == 5


@pytest.mark.parametrize(
    ("first", "then", "same"),
    [("a", "a", True), ("a", "b", False), ("a", None, None), (None, None, None)],
)
def test_figures_are_comparable_only_of_the_same_rows(
    desk: Desk, second: Callable[..., None], first: str | None, then: str | None, same: bool | None
) -> None:
    for digest in (first, then):
        second(test_sha256=digest)
    assert comparing.compare(desk, "iris", "2", "3", actor=None).same_rows is same


def test_figures_of_another_number_of_rows_are_not_comparable(
    desk: Desk, second: Callable[..., None], packages: dict[str, Any]
) -> None:
    second(metrics=packages["iris"][1].manifest["metrics"] | {"n_rows": 37})
    assert comparing.compare(desk, "iris", "1", "2", actor=None).same_rows is False


def test_other_texts_and_software_are_named(
    desk: Desk, second: Callable[..., None], packages: dict[str, Any]
) -> None:
    manifest = packages["iris"][1].manifest
    second(card=manifest["card"] | {"caveats": "None."}, libraries=manifest["libraries"] | {"numpy": "1.0"})
    found = comparing.compare(desk, "iris", "1", "2", actor=None)
    assert found.texts == [Pair("caveats", manifest["card"]["caveats"], "None.")]
    assert found.software == [Pair("numpy", manifest["libraries"]["numpy"], "1.0")]


def test_versions_are_read_for_the_comparison_alone_and_only_once(
    desk: Desk, second: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    second()
    borrowed: list[int] = []
    borrow = desk.runtime.borrow
    monkeypatch.setattr(
        desk.runtime, "borrow", lambda name, number: borrowed.append(number) or borrow(name, number)
    )
    for _ in range(2):
        comparing.compare(desk, "iris", "1", "2", actor=None)
    assert borrowed == [1, 2] and not desk.runtime.ready("iris", 2)


def test_rows_are_shown_to_those_who_may_see_what_was_learned_from(
    desk: Desk, packages: dict[str, Any], actor: Callable[[str], Actor]
) -> None:
    _, X, y, *_ = packages["iris"][0].make()
    weaker = LogisticRegression(C=0.001, max_iter=1000).fit(X, y)
    registry.publish(desk.store, package(weaker, X, y, format="skops"), name="iris", title="")
    seen = {
        name: comparing.compare(desk, "iris", "1", "2", actor=actor(name))
        for name in ("alice", "paula", "alice")
    }
    assert seen["paula"].answers and seen["paula"].answers.most[0].inputs["petal_length"]
    assert seen["alice"].answers and seen["alice"].answers.most[0].inputs == {}


def test_a_class_and_a_number_are_not_compared(desk: Desk, packages: dict[str, Any]) -> None:
    registry.publish(desk.store, packages["diabetes"][1], name="iris", title="")
    found = comparing.compare(desk, "iris", "1", "2", actor=None)
    assert found.answers is None and "with a class, the other with a number" in found.reason


def test_lost_rows_leave_the_rest_of_the_comparison(desk: Desk, second: Callable[..., None]) -> None:
    second()
    (desk.store.root / "iris" / "1" / "rows.json").unlink()
    found = comparing.compare(desk, "iris", "1", "2", actor=None)
    assert found.answers is None and "rows.json of iris 1 is lost" in found.reason


def test_both_versions_must_be_named_and_be_there(desk: Desk) -> None:
    with pytest.raises(InvalidInput) as told:
        comparing.compare(desk, "iris", None, "", actor=None)
    assert [problem.pointer for problem in told.value.problems] == ["#/from", "#/to"]
    with pytest.raises(NotFound):
        comparing.compare(desk, "iris", "1", "9", actor=None)
