"""Smaller models that answer nearly as an ensemble of trees does, and cost less to ask."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from webapp.ml.layout import Rows

#: Share of the rows that a pruned ensemble has to answer as the whole does, among those it is chosen by.
ALIKE: Final = 0.97
#: Of a standard deviation: values nearer than that are alike.
NEAR: Final = 0.1
#: Of the largest value: what floats of 32 bits may be apart.
ROUNDING: Final = 1e-5
#: Rows that trees are chosen by, and that one is taught by.
CHOSEN_BY: Final = 1000
TAUGHT_BY: Final = 5000
#: That every tree is asked for, and that one is taught by: time and memory that a publication may spend.
MOST_NUMBERS: Final = 3_000_000
LEAVES: Final = {"classification": 256, "regression": 2048}
#: Chance that a feature of a mixed row is the other row's.
SWAPPED: Final = 0.25


class _Ensemble(NamedTuple):
    """Trees at the end of an estimator, and rows as they reach them; `around` puts others in their place."""

    trees: Any
    X: Any
    around: Callable[[Any], Any]

    @property
    def classifies(self) -> bool:
        return hasattr(self.trees, "classes_")

    def answers(self, X: Any) -> Any:
        """Rows × classes, or rows × 1 of values."""
        if self.classifies:
            return np.asarray(self.trees.predict_proba(X))
        return np.asarray(self.trees.predict(X)).reshape(-1, 1)


def students(estimator: Any, frame: Callable[[Rows], Any], rows: Rows) -> dict[str, Any]:
    """Fitted estimators, by name, that stand in for a forest or a boosted ensemble; none for anything else.

    `pruned` has the fewest of its trees, at most half, that answer alike; `distilled` is one tree that learned from
    its answers. Both are made by mixtures of `rows`: what the trees answer to rows they were grown on says little.
    `frame` makes of rows what the estimator takes.
    """
    ensemble = _apart(estimator, frame(mixed(rows, TAUGHT_BY)))
    if ensemble is None:
        return {}
    few = ensemble._replace(X=ensemble.X[: min(CHOSEN_BY, MOST_NUMBERS // _numbers_a_row(ensemble))])
    made = {"pruned": _pruned(few), "distilled": _distilled(ensemble)}
    return {name: ensemble.around(trees) for name, trees in made.items() if trees is not None}


def mixed(rows: Rows, n: int, seed: int = 0) -> list[tuple[Any, ...]]:
    """So many rows, each one of `rows` in which a feature in four is another row's; always the same ones."""
    chance = np.random.default_rng(seed)
    one, other = chance.integers(len(rows), size=(2, n)).tolist()
    swapped = (chance.random((n, len(rows[0]))) < SWAPPED).tolist()
    return [
        tuple(b if swap else a for a, b, swap in zip(rows[i], rows[j], swaps, strict=True))
        for i, j, swaps in zip(one, other, swapped, strict=True)
    ]


def _apart(estimator: Any, X: Any) -> _Ensemble | None:
    from scipy.sparse import issparse  # heavy, and only publishing looks for students
    from sklearn import ensemble
    from sklearn.pipeline import Pipeline

    estimator = getattr(estimator, "best_estimator_", estimator)  # of a search
    steps = estimator.steps if isinstance(estimator, Pipeline) else [("", estimator)]
    trees = steps[-1][1]
    known = (
        *(ensemble.RandomForestClassifier, ensemble.RandomForestRegressor),
        *(ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor),
        *(ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor),
        *(ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor),
    )
    if not isinstance(trees, known) or getattr(trees, "n_outputs_", 1) != 1:
        return None
    if len(steps) > 1:
        X = estimator[:-1].transform(X)
    if issparse(X):
        return None
    try:
        X = np.asarray(X, np.float64)
    except (TypeError, ValueError):  # it takes categories as words
        return None
    if len(steps) == 1:
        return _Ensemble(trees, X, lambda made: made)
    name = steps[-1][0]
    return _Ensemble(trees, X, lambda made: Pipeline([*steps[:-1], (name, made)]))


def _numbers_a_row(ensemble: _Ensemble) -> int:
    """What all trees together answer to a row."""
    return int(np.size(getattr(ensemble.trees, "estimators_", 1))) * _classes(ensemble)


def _classes(ensemble: _Ensemble) -> int:
    return len(ensemble.trees.classes_) if ensemble.classifies else 1


def _pruned(ensemble: _Ensemble) -> Any | None:
    """Fewer trees; None where half of them do not answer alike."""
    few = copy.copy(ensemble.trees)
    X, whole = ensemble.X, ensemble.answers(ensemble.X)
    if hasattr(few, "_predictors"):
        kept = _enough(_staged(ensemble, len(few._predictors) // 2), whole)
        few._predictors = few._predictors[:kept]
    elif "init_" in vars(few):
        kept = _enough(_staged(ensemble, len(few.estimators_) // 2), whole)
        few.estimators_ = few.estimators_[:kept]
        few.n_estimators = few.n_estimators_ = kept
    else:
        single = np.stack([_of_tree(tree, X, ensemble) for tree in few.estimators_])
        order = _ordered(single - whole, len(single) // 2)
        sums = np.cumsum(single[order], axis=0)
        kept = _enough((total / (i + 1) for i, total in enumerate(sums)), whole)
        few.estimators_ = [few.estimators_[i] for i in order[:kept]]
        few.n_estimators = kept
    return few if kept else None


def _of_tree(tree: Any, X: Any, ensemble: _Ensemble) -> Any:
    X = X.astype(np.float32)
    return tree.predict_proba(X) if ensemble.classifies else tree.predict(X).reshape(-1, 1)


def _staged(ensemble: _Ensemble, most: int) -> Iterator[Any]:
    """What the first stage answers, the first two, and so on."""
    trees = ensemble.trees
    stages = (trees.staged_predict_proba if ensemble.classifies else trees.staged_predict)(ensemble.X)
    return (np.asarray(stage).reshape(len(ensemble.X), -1) for stage in islice(stages, most))


def _ordered(off: Any, most: int) -> list[int]:
    """Trees, the next always the one with which the mean comes nearest to that of all, by its squared distance.

    `off` is trees × rows × classes, what each is apart from the mean. Ordered aggregation as in Martínez-Muñoz,
    Hernández-Lobato and Suárez (2009), An Analysis of Ensemble Pruning Techniques Based on Ordered Aggregation.
    """
    flat = off.reshape(len(off), -1)
    between = flat @ flat.T
    alone, along = between.diagonal().copy(), np.zeros(len(off))
    order: list[int] = []
    for _ in range(most):
        best = int(np.argmin(2 * along + alone))
        order.append(best)
        along += between[best]
        alone[best] = np.inf
    return order


def _enough(means: Iterator[Any], whole: Any) -> int:
    """How many of `means` it takes until they answer as the whole does; 0 where they never do."""
    for i, mean in enumerate(means):
        if alike(mean, whole) >= ALIKE and i:
            return i + 1
    return 0


def alike(answers: Any, others: Any) -> float:
    """The share of rows answered alike: the same class, or values less than a tenth of their deviation apart."""
    if others.shape[1] > 1:
        return float((answers.argmax(axis=1) == others.argmax(axis=1)).mean())
    least = ROUNDING * np.abs(others).max()  # of a single row, or where all answers are the same
    return float((np.abs(answers - others) <= max(NEAR * others.std(), least)).mean())


def _distilled(ensemble: _Ensemble) -> Any:
    """One tree, taught by what the ensemble answers.

    As in Bucilă, Caruana and Niculescu-Mizil (2006), Model Compression. Probabilities are learned as weights of the
    classes.
    """
    from sklearn import tree  # heavy, and only publishing teaches

    X = ensemble.X[: max(1, MOST_NUMBERS // (_classes(ensemble) * ensemble.X.shape[1]))]
    answers = ensemble.answers(X)
    if not ensemble.classifies:
        student = tree.DecisionTreeRegressor(max_leaf_nodes=LEAVES["regression"], random_state=0)
        return student.fit(X, answers.ravel())
    n = answers.shape[1]
    student = tree.DecisionTreeClassifier(max_leaf_nodes=LEAVES["classification"], random_state=0)
    classes = np.tile(ensemble.trees.classes_, len(X))
    return student.fit(np.repeat(X, n, axis=0), classes, sample_weight=answers.ravel())
