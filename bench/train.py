"""Train both models from scikit-learn's bundled data: `python train.py DIRECTORY`.

Run inside each peer's environment, so that nobody has to unpickle what another version wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

RECIPES = {
    "iris": (load_iris, LogisticRegression(max_iter=1000)),
    "breast-cancer": (load_breast_cancer, RandomForestClassifier(100, random_state=0)),
}


def train(directory: Path) -> None:
    """Write `<model>.joblib` for each model; the classes are their names, as a user would want them."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, (load, estimator) in RECIPES.items():
        data = load()
        estimator.fit(data.data, data.target_names[data.target])
        joblib.dump(estimator, directory / f"{name}.joblib")


if __name__ == "__main__":
    train(Path(sys.argv[1]))
