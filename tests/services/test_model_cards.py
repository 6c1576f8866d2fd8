from __future__ import annotations

from collections.abc import Callable

import pytest

from webapp.errors import NotFound
from webapp.services import model_cards
from webapp.services.desk import Desk
from webapp.services.people import Actor


def test_a_card_tells_the_balance_of_what_it_learned_from(desk: Desk, actor: Callable[[str], Actor]) -> None:
    card = model_cards.read(desk.store, "iris", None, actor=actor("alice"))
    assert [label for label, _, _ in card.balance] == [c.label for c in card.detail.schema.output.classes]
    assert sum(n for _, n, _ in card.balance) == card.detail.manifest["n_rows"] == 112
    assert sum(share for _, _, share in card.balance) == pytest.approx(1)


def test_a_card_names_the_classes_that_were_scored_on_few_rows(
    desk: Desk, actor: Callable[[str], Actor]
) -> None:
    card = model_cards.read(desk.store, "iris", None, actor=actor("alice"))
    assert card.few == [c.label for c in card.detail.schema.output.classes]  # 38 rows of three classes
    assert model_cards.read(desk.store, "purchase", None, actor=actor("alice")).few == []


def test_a_card_without_its_profile_tells_the_rest(desk: Desk, actor: Callable[[str], Actor]) -> None:
    (desk.store.root / "iris" / "1" / "reference.json").write_text("[")
    card = model_cards.read(desk.store, "iris", None, actor=actor("alice"))
    assert (card.profile, card.balance) == ({}, []) and card.bytes > 1000


def test_a_card_says_who_published(desk: Desk, actor: Callable[[str], Actor]) -> None:
    assert model_cards.read(desk.store, "iris", "1", actor=None).detail.published_by is None


def test_there_is_no_card_of_a_version_that_is_not_there(desk: Desk, actor: Callable[[str], Actor]) -> None:
    with pytest.raises(NotFound, match="no version '9'"):
        model_cards.read(desk.store, "iris", "9", actor=actor("alice"))
