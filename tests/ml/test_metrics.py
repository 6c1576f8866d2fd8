from __future__ import annotations

from math import log2

import pytest

from webapp.errors import BadArtifact
from webapp.ml.metrics import ranking

ITEMS = ["a", "b", "c", "d"]
#: The order is b, a, d, c.
SCORES = [0.3, 0.4, 0.1, 0.2]


def test_one_right_item_is_scored_by_its_place() -> None:
    scored = ranking(["d"], [SCORES], ITEMS, 3)
    assert scored["precision_at_k"] == pytest.approx(1 / 3)
    assert scored["recall_at_k"] == 1
    assert scored["map_at_k"] == scored["mrr"] == pytest.approx(1 / 3)
    assert scored["ndcg_at_k"] == pytest.approx(1 / log2(4))


def test_an_item_below_the_first_k_counts_for_nothing_but_the_reciprocal_rank() -> None:
    scored = ranking(["c"], [SCORES], ITEMS, 3)
    assert scored["precision_at_k"] == scored["recall_at_k"] == scored["map_at_k"] == scored["ndcg_at_k"] == 0
    assert scored["mrr"] == pytest.approx(1 / 4)


def test_several_right_items_are_scored_as_in_the_textbook() -> None:
    # Manning, Raghavan and Schütze (2008), 8.4: precision at each right item, here 1/2 and 2/3.
    scored = ranking([["a", "d"]], [SCORES], ITEMS, 3)
    assert scored["precision_at_k"] == pytest.approx(2 / 3)
    assert scored["recall_at_k"] == 1
    assert scored["map_at_k"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scored["mrr"] == pytest.approx(1 / 2)
    assert scored["ndcg_at_k"] == pytest.approx((1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3)))


def test_scores_are_means_over_rows_and_the_first_of_equals_comes_first() -> None:
    scored = ranking(["a", "b"], [[1.0, 1.0, 0.0, 0.0]] * 2, ITEMS, 1)
    assert scored["recall_at_k"] == 0.5
    assert scored["mrr"] == pytest.approx((1 + 1 / 2) / 2)


def test_a_truth_in_other_types_is_found_by_how_it_is_written() -> None:
    assert ranking(["2"], [[0.1, 0.9]], [1, 2], 1)["recall_at_k"] == 1


def test_a_truth_without_any_item_of_the_model_is_refused() -> None:
    with pytest.raises(BadArtifact, match=r"No value of the target is an item of the model"):
        ranking(["x"], [SCORES], ITEMS, 3)
