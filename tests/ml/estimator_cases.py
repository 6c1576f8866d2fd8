"""Every classifier and regressor of scikit-learn on a small sample, with its default parameters."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.utils import all_estimators

from webapp.ml.packaging import Package, package

CLASSIFIER = {"estimator": LogisticRegression(max_iter=1000)}
CLASSIFIERS = {"estimators": [("logistic", LogisticRegression(max_iter=1000)), ("bayes", GaussianNB())]}
#: arguments without which an estimator can not be made
REQUIRED: dict[str, dict[str, Any]] = {
    "OneVsOneClassifier": CLASSIFIER,
    "OneVsRestClassifier": CLASSIFIER,
    "OutputCodeClassifier": CLASSIFIER,
    "SelfTrainingClassifier": CLASSIFIER,
    "StackingClassifier": CLASSIFIERS,
    "VotingClassifier": CLASSIFIERS,
    "StackingRegressor": {"estimators": [("ridge", Ridge()), ("near", KNeighborsRegressor())]},
    "VotingRegressor": {"estimators": [("ridge", Ridge()), ("near", KNeighborsRegressor())]},
}
#: those for another kind of data than one target from several numbers
UNFIT = {
    "CCA": "Needs several targets.",
    "ClassifierChain": "Needs several targets.",
    "FixedThresholdClassifier": "Needs two classes; iris has three.",
    "IsotonicRegression": "Needs exactly one feature.",
    "MultiOutputClassifier": "Needs several targets.",
    "MultiOutputRegressor": "Needs several targets.",
    "MultiTaskElasticNet": "Needs several targets.",
    "MultiTaskElasticNetCV": "Needs several targets.",
    "MultiTaskLasso": "Needs several targets.",
    "MultiTaskLassoCV": "Needs several targets.",
    "PLSCanonical": "Needs several targets.",
    "RegressorChain": "Needs several targets.",
    "TunedThresholdClassifierCV": "Needs two classes; iris has three.",
}


@cache
def _makers() -> dict[str, tuple[str, Any]]:
    kinds = ("classifier", "regressor")
    return {name: (kind, make) for kind in kinds for name, make in all_estimators(type_filter=kind)}


def names() -> list[str]:
    return sorted(_makers())


def unfit() -> dict[str, str]:
    """Name → why it can not be fitted on the sample."""
    return {name: reason for name, reason in UNFIT.items() if name in _makers()}


def served_names() -> list[str]:
    return [name for name in names() if name not in UNFIT]


def kind(name: str) -> str:
    """classifier (iris) or regressor (diabetes)."""
    return _makers()[name][0]


@cache
def fitted(name: str) -> tuple[Any, Any, Any]:
    """(estimator, X, y)."""
    X, y = sample(kind(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old names, and defaults that do not converge, are still estimators
        estimator = _makers()[name][1](**REQUIRED.get(name, {}))
        if "random_state" in estimator.get_params():
            estimator.set_params(random_state=0)
        return estimator.fit(X, y), X, y


@cache
def packaged(name: str) -> Package:
    estimator, X, y = fitted(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return package(estimator, X, y, format="skops")


@cache
def sample(kind: str) -> tuple[Any, Any]:
    data = load_iris(as_frame=True) if kind == "classifier" else load_diabetes(as_frame=True, scaled=False)
    X = data.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    y = data.target.map(dict(enumerate(data.target_names.tolist()))) if kind == "classifier" else data.target
    return X, y
