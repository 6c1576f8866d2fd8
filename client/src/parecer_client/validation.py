"""Scores of the recipe where there is no data that the model has not seen."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from parecer_client import progress
from parecer_client.samples import Sample

#: Seconds after which no further fold is begun.
BUDGET = 60.0


class Validated(NamedTuple):
    """Mean and standard deviation of `score` over the folds that were done; how many were planned is in `planned`."""

    score: str
    mean: float
    deviation: float
    folds: int
    planned: int

    def __str__(self) -> str:
        of = "" if self.folds == self.planned else f" of {self.planned}"
        spread = f" ± {self.deviation:.3g}" if self.folds > 1 else ""
        return f"{self.score} {self.mean:.3g}{spread} in {self.folds}{of} folds"


def cross_validated(estimator: Any, sample: Sample, cv: Any, *, shown: bool) -> Validated | str:
    """How well clones of `estimator` do on folds of the sample that they were not fitted on.

    `cv` is a number of folds or a splitter of scikit-learn; accuracy of a classifier, R² of a regressor. A sentence
    saying why where it cannot be done: not every estimator can be fitted anew from its parameters.
    """
    from sklearn.base import is_classifier  # who only predicts has no need of it
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.model_selection import check_cv

    classifies = is_classifier(estimator)
    score = accuracy_score if classifies else r2_score
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # those of a fit are the publisher's already, and would come again a fold
            folds = list(check_cv(cv, sample.y, classifier=classifies).split(sample.X, sample.y))
            with progress.bar(len(folds), "cross-validating", shown=shown, unit="fold") as bar:
                scores = list(_scores(estimator, sample, folds, score, bar))
    except Exception as error:  # noqa: BLE001 — whatever an estimator of any make raises
        return f"could not be cross-validated ({type(error).__name__}: {error})"
    name = "accuracy" if classifies else "R²"
    return Validated(name, statistics.fmean(scores), statistics.pstdev(scores), len(scores), len(folds))


def _scores(
    estimator: Any, sample: Sample, folds: Sequence[Any], score: Callable[..., float], bar: Any
) -> Iterator[float]:
    from sklearn.base import clone  # who only predicts has no need of it

    begun = time.monotonic()
    for n, (train, test) in enumerate(folds):
        if n and time.monotonic() - begun > BUDGET:
            return
        fitted = clone(estimator).fit(_rows(estimator, sample, train), sample.y.iloc[train])
        found = fitted.predict(_rows(estimator, sample, test))
        yield float(score(sample.y.iloc[test], found))
        bar.update(1)


def _rows(estimator: Any, sample: Sample, places: Any) -> Any:
    """As the estimator was fitted: with names, or without, or on a list of texts."""
    part = sample.X.iloc[places]
    if hasattr(estimator, "feature_names_in_"):
        return part
    texts = part.shape[1] == 1 and part.dtypes.iloc[0].kind not in "biuf"
    return part.iloc[:, 0].tolist() if texts else part.to_numpy()
