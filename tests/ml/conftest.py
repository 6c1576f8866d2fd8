from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from webapp.ml.packaging import Package, package
from webapp.ml.runtime import Runtime
from webapp.ml.store import Store

Sample = tuple[pd.DataFrame, "pd.Series[str]"]


@pytest.fixture(scope="session")
def iris() -> Sample:
    data = load_iris(as_frame=True)
    X = data.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    return X, data.target.map(dict(enumerate(data.target_names.tolist()))).rename("species")


@pytest.fixture(scope="session")
def mixed() -> Sample:
    """Numbers with gaps, a category with gaps, and a yes/no; the answer follows all three."""
    chance = np.random.default_rng(3)
    X = pd.DataFrame(
        {
            "amount": chance.normal(10, 4, 300),
            "colour": chance.choice(["red", "green", "blue"], 300).astype(object),
            "member": chance.random(300) < 0.5,
        }
    )
    score = X["amount"] / 10 + (X["colour"] == "red") + X["member"] + chance.normal(0, 0.3, 300)
    X.loc[::9, "amount"] = np.nan
    X.loc[::7, "colour"] = np.nan
    return X, pd.Series(np.where(score > 2, "yes", "no"), name="bought")


@pytest.fixture(scope="session")
def iris_package(iris: Sample) -> Package:
    return package(LogisticRegression(max_iter=1000).fit(*iris), *iris, format="skops")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "model_store")


@pytest.fixture
def runtime(store: Store, iris_package: Package) -> Runtime:
    store.publish("iris", 1, iris_package.files, iris_package.manifest)
    return Runtime(store)
