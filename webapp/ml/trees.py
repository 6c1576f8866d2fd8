"""Trees as scikit-learn's compiled code walks them: by index and without a bound check, so we check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from webapp.errors import BadArtifact


def refuse_broken_trees(estimator: Any) -> None:
    """Raises BadArtifact if a decision tree points outside its nodes or features, or in a circle."""
    from sklearn.tree._tree import Tree  # heavy, and only what scikit-learn serves has trees

    for thing in reachable(estimator):
        if isinstance(thing, Tree):
            nodes = thing.__getstate__()["nodes"]
            _refuse(nodes["left_child"], nodes["right_child"], nodes["left_child"] != -1)
            _refuse_features(nodes["feature"][nodes["left_child"] != -1], thing.n_features)
        elif hasattr(thing, "_predictors"):  # histogram gradient boosting
            for tree in (tree for iteration in thing._predictors for tree in iteration):
                _refuse_histogram_tree(tree, thing._n_features)


def splits_beyond_floats(estimator: Any) -> bool:
    """Whether a decision tree parts missing from present values with an infinite threshold, or a huge one."""
    from sklearn.tree._tree import Tree  # heavy, and only publishing asks

    for thing in reachable(estimator):
        if isinstance(thing, Tree):
            thresholds = thing.threshold[thing.children_left != -1]
            if not (np.abs(thresholds) < np.finfo(np.float32).max).all():
                return True
    return False


def _refuse_histogram_tree(tree: Any, n_features: int) -> None:
    nodes = tree.nodes
    inner = nodes["is_leaf"] == 0
    _refuse(nodes["left"].astype(np.int64), nodes["right"].astype(np.int64), inner)
    _refuse_features(nodes["feature_idx"][inner], n_features)
    if (nodes["bitset_idx"][nodes["is_categorical"] == 1] >= len(tree.raw_left_cat_bitsets)).any():
        raise BadArtifact("A decision tree in this file points outside itself; save the model again.")


def _refuse(left: Any, right: Any, inner: Any) -> None:
    """Children come after their parent, so every walk ends."""
    at = np.flatnonzero(inner)
    for child in (left[inner], right[inner]):
        if ((child <= at) | (child >= len(inner))).any():
            raise BadArtifact("A decision tree in this file points outside itself; save the model again.")


def _refuse_features(features: Any, n_features: int) -> None:
    if ((features < 0) | (features >= n_features)).any():
        raise BadArtifact("A decision tree in this file asks for a feature that does not exist.")


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
