"""Trees as scikit-learn's compiled code walks them: by index and without a bound check, so we check.

Decision trees, what ensembles make of them, and the trees that neighbours are looked up in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from webapp.errors import BadArtifact
from webapp.wording import said

OUTSIDE = said("A decision tree in this file points outside itself; save the model again.")
WIDTH = said(
    "A decision tree in this file was trained with other features than its model; save the model again."
)


def refuse_broken_trees(estimator: Any) -> None:
    """Raises BadArtifact if a tree points outside its nodes, features or rows, or in a circle."""
    from sklearn.ensemble._gb import BaseGradientBoosting  # heavy: only what scikit-learn serves has trees
    from sklearn.neighbors import BallTree, KDTree
    from sklearn.tree._tree import Tree

    boosted = []
    for thing in reachable(estimator):
        own = getattr(thing, "__dict__", {})
        if isinstance(thing, Tree):
            nodes = thing.__getstate__()["nodes"]
            _refuse(nodes["left_child"], nodes["right_child"], nodes["left_child"] != -1)
            _refuse_features(nodes["feature"][nodes["left_child"] != -1], thing.n_features)
        elif isinstance(own.get("tree_"), Tree):
            _refuse_width(thing.tree_.n_features, thing)
        elif isinstance(thing, (BallTree, KDTree)):
            _refuse_neighbour_tree(thing, 2 if isinstance(thing, KDTree) else 1)
        elif isinstance(thing, BaseGradientBoosting) and "estimators_" in own:
            boosted.append(thing)
        elif "_predictors" in own:  # histogram gradient boosting
            _refuse_width(thing._n_features, thing)
            bitsets, _ = thing._bin_mapper.make_known_categories_bitsets()
            for tree in (tree for iteration in thing._predictors for tree in iteration):
                _refuse_histogram_tree(tree, thing._n_features, len(bitsets))
    for thing in boosted:  # last, because it is asked for an answer
        _refuse_stages(thing)


def splits_beyond_floats(estimator: Any) -> bool:
    """Whether a decision tree parts missing from present values with an infinite threshold, or a huge one."""
    from sklearn.tree._tree import Tree  # heavy, and only publishing asks

    for thing in reachable(estimator):
        if isinstance(thing, Tree):
            thresholds = thing.threshold[thing.children_left != -1]
            if not (np.abs(thresholds) < np.finfo(np.float32).max).all():
                return True
    return False


def _refuse_histogram_tree(tree: Any, n_features: int, n_bitsets: int) -> None:
    nodes = tree.nodes
    inner = nodes["is_leaf"] == 0
    _refuse(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), inner)
    _refuse_features(nodes["feature_idx"][inner], n_features)
    categories = nodes["bitset_idx"][nodes["is_categorical"] == 1]
    if (categories >= (len(tree.raw_left_cat_bitsets) if n_bitsets else 0)).any():
        raise BadArtifact(OUTSIDE)


def _refuse_stages(boosted: Any) -> None:
    """Each stage adds one column a tree to what the first estimator answered, which has to be as wide."""
    for tree in boosted.estimators_.flat:
        _refuse_width(tree.tree_.n_features, boosted)
    columns = boosted.estimators_.shape[1]
    if columns > 1:
        first = boosted._raw_predict_init(np.zeros((1, boosted.n_features_in_)))
        if first.shape[1] != columns:
            raise BadArtifact(
                said("A boosted model in this file has more trees a stage than classes; save it again.")
            )


def _refuse_neighbour_tree(tree: Any, n_bounds: int) -> None:
    data, rows, nodes, bounds, _, _, n_nodes, *_, metric, weights = tree.__getstate__()
    n = len(data)
    whole = (
        len(rows) == n > 0
        and len(nodes) == n_nodes > 0
        and bounds.shape[0] >= n_bounds
        and bounds.shape[1:] == (n_nodes, data.shape[1])
        and (weights is None or len(weights) == n)
    )
    if not whole or ((rows < 0) | (rows >= n)).any():
        raise BadArtifact(
            said("A tree of neighbours in this file points outside its rows; save the model again.")
        )
    start, end = nodes["idx_start"], nodes["idx_end"]
    childless = np.flatnonzero(nodes["is_leaf"] == 0) * 2 + 2 >= n_nodes
    if ((start < 0) | (start > end) | (end > n)).any() or childless.any():
        raise BadArtifact(
            said("A tree of neighbours in this file points outside itself; save the model again.")
        )
    metric._validate_data(data)  # the parameters of some are as long as a row


def _refuse(left: Any, right: Any, inner: Any) -> None:
    """Children come after their parent, so every walk ends."""
    at = np.flatnonzero(inner)
    for child in (left[inner], right[inner]):
        if ((child <= at) | (child >= len(inner))).any():
            raise BadArtifact(OUTSIDE)


def _refuse_width(n_features: int, holder: Any) -> None:
    if n_features != holder.n_features_in_:
        raise BadArtifact(WIDTH)


def _refuse_features(features: Any, n_features: int) -> None:
    if ((features < 0) | (features >= n_features)).any():
        raise BadArtifact(said("A decision tree in this file asks for a feature that does not exist."))


def reachable(root: Any) -> Iterator[Any]:
    """What attributes and containers lead to, each once; the loader bounds how much that can be."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type(None), type)):
            continue
        seen.add(id(thing))
        yield thing
        if isinstance(thing, dict):
            waiting.extend(dict.values(thing))  # an attribute called values must not answer
        elif isinstance(thing, (list, tuple, set)):
            waiting.extend(thing)
        elif isinstance(thing, np.ndarray) and thing.dtype == object:
            waiting.extend(np.asarray(thing).flat)  # also what a mask hides
        waiting.extend(getattr(thing, "__dict__", {}).values())
